// SPDX-License-Identifier: Apache-2.0

private import DequeModule

/// One client's stream as a pure state machine: where it stands and what it needs next.
///
/// ``next(in:)`` says what to do; the methods after it record what was done. That way a writer can look ahead on a copy,
/// hand many segments to one system call, and record only what the socket took. It does no I/O
/// and keeps no bytes but, while it drains, the one page that was read for it.
package struct SubscriberState: Sendable {
    /// Some events of a segment, in one run of bytes.
    package struct Slice: Sendable {
        /// The segment.
        package var segment: Segment

        /// The indices of the events; empty when the feed's `where` passed all rows over.
        package var events: Range<Int>

        /// Where the subscriber stands when all of it was sent.
        package var through: Position

        /// The bytes of these events in ``Segment/bytes``.
        package var bytes: Range<Int> {
            segment.offset(ofEvent: events.lowerBound)..<segment.offset(ofEvent: events.upperBound)
        }
    }

    /// What to do next.
    package enum Step: Sendable {
        /// Nothing until there is news, or the page asked for arrives.
        case wait

        /// Send these events, then record it by ``sent(_:events:)``.
        case send(Slice)

        /// Ask the source for a page, then record it by ``requestedPage()``.
        case read(after: Position, through: Position)

        /// Tell the client that continuity broke, then record it by ``wasReset(_:in:)``.
        case reset(Reset)

        /// End the stream in order.
        case end(EndReason)
    }

    /// The last position sent.
    package private(set) var position: Position

    /// The generation that ``position`` belongs to.
    package private(set) var generation: Int

    /// The last id that the client was sent.
    package private(set) var told: EventID

    /// How many more events the client wants; `nil` for all.
    package private(set) var remaining: Int?

    /// Where the stream ends; `nil` for nowhere.
    package private(set) var until: Position?

    /// Whether a page was asked for and hasn't come.
    package private(set) var awaitsPage = false

    private let policy: ResetPolicy
    private var page: Segment?
    private var failed = false

    /// A stream that starts after a position.
    ///
    /// - Parameters:
    ///   - start: The position, of the view's generation.
    ///   - limit: How many events the stream is to have at most.
    ///   - until: The last position that the stream is to reach.
    ///   - policy: What happens when continuity breaks.
    package init(start: EventID, limit: Int? = nil, until: Position? = nil, policy: ResetPolicy) {
        position = start.position
        generation = start.generation
        told = start
        remaining = limit
        self.until = until
        self.policy = policy
    }

    /// The id that stands for where the stream is.
    package var id: EventID {
        EventID(position, generation: generation)
    }

    /// Whether the client's id lies behind the stream, as rows were passed over or a generation began.
    package var needsCheckpoint: Bool {
        told != id
    }

    /// Whether the stream goes on for as long as there are rows, and has no end of its own; a reset would be one.
    package var isOpenEnded: Bool {
        remaining == nil && until == nil && policy != .fail
    }

    /// Whether another stream gets the same next.
    package func stands(with other: SubscriberState) -> Bool {
        position == other.position && generation == other.generation
    }

    /// Records that everything was sent that was sent to another stream since the two stood at the same place.
    package mutating func follow(_ other: SubscriberState) {
        // An id from before that is the other client's alone: from a checkpoint, or as its stream began there.
        if other.told.position > position { told = other.told }
        position = other.position
    }

    /// Whether the stream follows the head rather than catching up.
    package func isLive(in view: borrowing FeedView) -> Bool {
        position >= view.head || view.tail.index(after: position) != nil
    }

    /// Decides what to do next, on the condition that the connection is writable.
    ///
    /// It changes the state only to take over the view's generation where the stream goes on in it exactly.
    package mutating func next(in view: borrowing FeedView) -> Step {
        let isContinuous = generation == view.history.current && position >= view.earliest
        if !isContinuous, let reset = cross(into: view) { return .reset(reset) }
        if failed { return .end(.reset) }
        if remaining == 0 { return .end(.limit) }
        if let until, position >= until { return .end(.head) }
        guard position < view.head else { return .wait }
        if let index = view.tail.index(after: position) {
            return .send(slice(of: view.tail.segments[index]))
        }
        if let page, page.after <= position, position < page.through {
            return .send(slice(of: page))
        }
        guard !awaitsPage else { return .wait }
        var through = view.head
        if let start = view.tail.start, start > position { through = min(through, start) }
        if let until { through = min(through, until) }
        return .read(after: position, through: through)
    }

    /// Takes over the view's generation, or tells what breaks.
    private mutating func cross(into view: borrowing FeedView) -> Reset? {
        let resumedFrom: Position
        let reason: ResetReason
        switch view.history.continuation(of: id, head: view.head, earliest: view.earliest) {
        case .exact(let position):
            self.position = position
            enter(view)
            return nil
        case .rewound(let base):
            (resumedFrom, reason) = (base, .rewound)
        case .lost(let lost):
            (resumedFrom, reason) = (policy == .latest ? view.head : view.earliest, lost)
        }
        let start = EventID(resumedFrom, generation: view.history.current)
        return Reset(reason: reason, requested: told, resumedFrom: start)
    }

    private mutating func enter(_ view: borrowing FeedView) {
        generation = view.history.current
        page = nil
        // The head that the client asked for may be gone; the new one is the end that can be reached.
        if let until { self.until = min(until, view.head) }
    }

    private func slice(of segment: Segment) -> Slice {
        let first = segment.firstEvent(after: position)
        var last = segment.events.count
        var through = segment.through
        if let until, until < through {
            last = segment.firstEvent(after: until)
            through = until
        }
        if let remaining, last - first > remaining {
            last = first + remaining
            through = segment.events[last - 1].position
        }
        if policy == .fail, segment.resetCount > 0,
            let index = segment.events[first..<last].firstIndex(where: \.isReset)
        {
            last = index + 1
            through = segment.events[index].position
        }
        return Slice(segment: segment, events: first..<last, through: through)
    }

    /// Records that the first `events` events of a slice were sent, and, if that is all of them, what was passed over.
    package mutating func sent(_ slice: Slice, events: Int) {
        if events > 0 {
            let last = slice.segment.events[slice.events.lowerBound + events - 1]
            position = last.position
            told = EventID(last.position, generation: generation)
            failed = failed || (policy == .fail && last.isReset)
            if let remaining { self.remaining = remaining - events }
        }
        if events == slice.events.count {
            position = slice.through
        }
        if let page, position >= page.through {
            self.page = nil
        }
    }

    /// Records that a page was asked for.
    package mutating func requestedPage() {
        awaitsPage = true
    }

    /// Takes the page that was asked for; `nil` when it could not be read.
    package mutating func received(_ segment: Segment?) {
        awaitsPage = false
        // Meanwhile a generation may have begun, or the tail have served what the page holds.
        page = segment.flatMap { $0.generation == generation && $0.through > position ? $0 : nil }
    }

    /// Lets go of the page read for this stream; it is read again when the client gets to it.
    package mutating func releasePage() {
        page = nil
    }

    /// Records that the client was told of a break.
    package mutating func wasReset(_ reset: Reset, in view: borrowing FeedView) {
        position = reset.resumedFrom.position
        told = reset.resumedFrom
        enter(view)
        failed = policy == .fail
    }

    /// Records that the client was sent the id of where it stands.
    package mutating func checkpointed() {
        told = id
    }
}
