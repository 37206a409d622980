// SPDX-License-Identifier: Apache-2.0

package import DequeModule

/// A feed's newest segments in memory, without a gap between them, bounded by bytes.
///
/// When a segment takes it over its bound the oldest ones are let go; subscribers behind them are served from the table.
package struct Tail: Sendable {
    /// The segments, oldest first.
    package private(set) var segments: Deque<Segment> = []

    /// The memory that the segments take.
    package private(set) var footprint = 0

    private let bound: Int

    /// An empty tail.
    ///
    /// - Parameter bound: The bytes that it may take; the newest segment stays whatever its size.
    package init(bound: Int) {
        self.bound = bound
    }

    /// The position just before the oldest event in memory; `nil` when empty.
    package var start: Position? {
        segments.first?.after
    }

    /// Takes the next segment; one that doesn't begin where the tail ends takes the place of everything.
    package mutating func append(_ segment: Segment) {
        if let last = segments.last, last.through != segment.after || last.generation != segment.generation {
            clear()
        }
        segments.append(segment)
        footprint += segment.footprint
        while footprint > bound, segments.count > 1 {
            footprint -= segments.removeFirst().footprint
        }
    }

    /// Lets everything go.
    package mutating func clear() {
        segments.removeAll()
        footprint = 0
    }

    /// The index of the segment that holds what comes just after a position.
    ///
    /// - Returns: `nil` when the position is older than the tail, or at its end.
    package func index(after position: Position) -> Int? {
        guard let last = segments.last, let start, position >= start, position < last.through else { return nil }
        // Live subscribers ask for the newest segment.
        if position >= last.after { return segments.count - 1 }
        var low = 0
        var high = segments.count - 1
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].through > position {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
