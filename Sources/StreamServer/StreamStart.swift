// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// Finds where a stream starts: the part of a request that may have to ask the table.
struct StreamStart {
    /// Where a stream starts, and what its client has to be told.
    struct Resolution: Sendable {
        var state: SubscriberState
        var reset: Reset?
        /// Whether an id was given, and so whether this is a resume.
        var isResume: Bool
        /// Whether nothing is newer than what the client has, and it asked for no more than there is.
        var hasNothingNew: Bool
    }

    let feed: Feed
    let group: FeedGroup

    /// The effective start: the client's id, else what it asks for, else the feed's default.
    private func start(_ query: StreamQuery) -> StartPoint {
        query.lastEventID.map(StartPoint.after) ?? query.since ?? feed.options.start
    }

    /// Finds where a stream starts.
    ///
    /// Where "newest" matters, the file is polled first: the head of the moment of the request counts, not that of the
    /// last tick. An id past the known head is looked up as well, as another daemon on the same file may be ahead.
    ///
    /// - Returns: `nil` while nobody can tell: the table can't be read, and the id may be of a row that is in it.
    func resolve(_ query: StreamQuery, _ policy: ResetPolicy) -> EventLoopFuture<Resolution?> {
        let eventLoop = group.eventLoop
        let start = start(query)
        let needsHead =
            switch start {
            case .latest, .newest, .time: true
            case .earliest: query.untilHead
            case .after(let id): query.untilHead || id.position > group.view.head
            }
        let fresh = needsHead ? feed.source.refresh(on: eventLoop) : eventLoop.makeSucceededVoidFuture()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // A table that can't be read now is asked again later; a browser would never come back from an error.
        return fresh.flatMap { bound.value.position(start) }
            .flatMapThrowing { try bound.value.resolution(start, at: $0, query, policy) }
            .flatMapErrorThrowing { error in
                if error is NoTimes {
                    throw RequestError(.badRequest, "since: the rows of this feed have no times; send an event id")
                }
                if error is RequestError { throw error }
                return nil
            }
    }

    /// The position that a start means; `nil` for an id, which takes more than a position to judge.
    private func position(_ start: StartPoint) -> EventLoopFuture<Position?> {
        let eventLoop = group.eventLoop
        switch start {
        case .after: return eventLoop.makeSucceededFuture(nil)
        case .earliest: return eventLoop.makeSucceededFuture(group.view.earliest)
        case .latest: return eventLoop.makeSucceededFuture(group.view.head)
        case .newest(let count):
            return feed.source.position(beforeNewest: count, through: group.view.head, on: eventLoop).map { $0 }
        case .time(let time):
            return feed.source.position(before: time, through: group.view.head, on: eventLoop).map { $0 }
        }
    }

    /// Whether a poll found no row where an id points.
    ///
    /// After a crash the stored head may be behind the table's, and the first polls may meet a lock.
    private func knowsAhead(of id: EventID) -> Bool {
        let status = feed.status
        return status.isCurrent && id.position > status.head
    }

    private func resolution(
        _ start: StartPoint,
        at position: Position?,
        _ query: StreamQuery,
        _ policy: ResetPolicy
    ) throws -> Resolution? {
        // An end that is taken from a head of some other moment would leave rows out.
        if query.untilHead, !feed.status.isCurrent { return nil }
        let view = group.view
        let current = view.history.current
        var reset: Reset?
        // What was counted back to may have been deleted meanwhile.
        var begin = EventID(max(position ?? view.head, view.earliest), generation: current)
        if case .after(let id) = start {
            let continuation = view.history.continuation(of: id, head: view.head, earliest: view.earliest)
            if !feed.status.mayBe(id.position, in: feed.options.mode), continuation != .lost(.replaced) {
                throw RequestError(
                    .badEventID,
                    "'\(id)' is no event id of this feed; send an id that it gave out, or none"
                )
            }
            switch continuation {
            case .exact(let position):
                begin = EventID(position, generation: current)
            case .rewound(let base):
                begin = EventID(base, generation: current)
                reset = Reset(reason: .rewound, requested: id, resumedFrom: begin)
            case .lost(.ahead) where feed.status.hasSettled(id.position):
                // The row was sent before a crash, as the newest, and was written again or deleted since.
                begin = EventID(id.position, generation: current)
            case .lost(.ahead) where !knowsAhead(of: id):
                return nil
            case .lost(let reason):
                begin = EventID(policy == .latest ? view.head : view.earliest, generation: current)
                reset = Reset(reason: reason, requested: id, resumedFrom: begin)
            }
        }
        let until = query.untilHead ? view.head : nil
        return Resolution(
            state: SubscriberState(start: begin, limit: query.limit, until: until, policy: policy),
            reset: reset,
            isResume: query.lastEventID != nil,
            hasNothingNew: until.map { begin.position >= $0 } ?? false
        )
    }
}
