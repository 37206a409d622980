// SPDX-License-Identifier: Apache-2.0

/// The encoded events of one page: one immutable buffer, shared by all subscribers.
///
/// A segment covers every position after ``after`` up to and including ``through``; rows that the feed's `where` passed
/// over have a position in that range and no event.
package final class Segment: Sendable {
    /// Where one event of a segment ends.
    package struct Event: Sendable {
        /// Where its row stands.
        package var position: Position

        /// Whether it is no row but tells that what came before is not all there was.
        package var isReset: Bool

        /// The offset in ``Segment/bytes`` just past its last byte.
        package var end: Int

        /// Marks the end of an event.
        package init(position: Position, isReset: Bool = false, end: Int) {
            self.position = position
            self.isReset = isReset
            self.end = end
        }
    }

    /// The generation that the ids in here belong to.
    package let generation: Int

    /// The position just before this segment.
    package let after: Position

    /// The last position that this segment covers.
    package let through: Position

    /// The events as they go over the wire, chunk framing included; valid as long as the segment.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(storage) }

    /// The events in order of their positions.
    package let events: [Event]

    /// How many of the events are resets.
    package let resetCount: Int

    /// When the poll that found these rows began; `nil` for pages read for a subscriber behind the tail.
    package let foundAt: ContinuousClock.Instant?

    // Proof: written once, before init returns, read only after that, and freed with the last reference. Memory of its
    // own, and not an array, so that many segments can be handed to one system call.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    /// Copies one page.
    package init(
        generation: Int,
        after: Position,
        through: Position,
        copying bytes: UnsafeRawBufferPointer,
        events: [Event],
        foundAt: ContinuousClock.Instant? = nil
    ) {
        self.generation = generation
        self.after = after
        self.through = through
        storage = .allocate(byteCount: bytes.count, alignment: 1)
        storage.copyMemory(from: bytes)
        self.events = events
        resetCount = events.count(where: \.isReset)
        self.foundAt = foundAt
    }

    deinit {
        storage.deallocate()
    }

    /// About how many bytes of memory this takes: what the tail is bounded by.
    package var footprint: Int {
        bytes.count + events.count * MemoryLayout<Event>.stride + 192
    }

    /// The index of the first event after a position; `events.count` when there is none.
    package func firstEvent(after position: Position) -> Int {
        guard position > after else { return 0 }
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].position > position {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }

    /// How many of the events of a range are resets.
    package func resets(in range: Range<Int>) -> Int {
        resetCount == 0 ? 0 : events[range].count(where: \.isReset)
    }

    /// The offset where an event begins; the end of the bytes for the index just past the last event.
    package func offset(ofEvent index: Int) -> Int {
        index == 0 ? 0 : events[index - 1].end
    }
}
