// SPDX-License-Identifier: Apache-2.0

/// Something that changed about a feed, announced once to every event loop, in order.
package enum FeedNews: Sendable {
    /// The newest rows were read; they follow the head, or, at start, end at it.
    case segment(Segment)

    /// The head moved and nobody listened, so nothing was read.
    case advanced(Position)

    /// The newest part of the history went away.
    case generation(GenerationHistory, head: Position)

    /// The oldest part of the history was deleted: nothing up to this position is to be had any more.
    case pruned(through: Position)
}

/// What an event loop knows of a feed: where it stands, and its tail.
///
/// Each event loop has one of its own, kept up by ``FeedNews``, so that no lock is taken per subscriber or event. The
/// segments in the tail are shared.
package struct FeedView: Sendable {
    /// The watermark: the newest position handed over.
    package private(set) var head: Position

    /// Before the oldest row that is to be had: where a stream starts that wants all there is.
    package private(set) var earliest: Position

    /// The generations so far.
    package private(set) var history: GenerationHistory

    /// Whether ``head`` means something: news of the feed came, or was there from the start.
    package private(set) var knowsHead = false

    /// The newest segments.
    package private(set) var tail: Tail

    /// A view of a feed of which nothing is known yet.
    ///
    /// - Parameter tailBytes: The memory that the tail may take.
    package init(tailBytes: Int) {
        head = .earliest
        earliest = .earliest
        history = GenerationHistory()
        tail = Tail(bound: tailBytes)
    }

    /// Takes in what changed.
    package mutating func apply(_ news: FeedNews) {
        knowsHead = true
        switch news {
        case .segment(let segment):
            tail.append(segment)
            head = max(head, segment.through)
        case .advanced(let position):
            tail.clear()
            head = position
        case .generation(let history, let position):
            tail.clear()
            self.history = history
            head = position
            earliest = .earliest
        case .pruned(let position):
            earliest = position
            head = max(head, position)
        }
    }
}
