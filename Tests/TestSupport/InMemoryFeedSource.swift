// SPDX-License-Identifier: Apache-2.0

import EventStream
package import NIOCore
package import RowtailCore
import Synchronization

/// A feed's source in memory: rows are appended by hand, and subscribers behind the tail read them from here.
package final class InMemoryFeedSource: FeedSource {
    /// A read that was told to fail.
    package struct Failure: Error {}

    private struct State {
        var rows: [Int64] = []
        /// The generation that each row was written in, where it isn't the first.
        var written: [Int64: Int] = [:]
        var generation = 0
        var pagesRead = 0
        var failing = false
        var isHeld = false
        var held: [EventLoopPromise<Void>] = []
    }

    private let state = Mutex(State())
    private let framing: FrameEncoder
    private let pageRows: Int
    private let padding: String
    private let passes: @Sendable (Int64) -> Bool

    /// A source without rows.
    ///
    /// Each row carries `padding` bytes. Rows that `passes` says no to have a position and no event, as with a feed's
    /// `where`.
    package init(
        feed: String = "orders",
        pageRows: Int = 100,
        padding: Int = 0,
        passes: @escaping @Sendable (Int64) -> Bool = { _ in true }
    ) {
        framing = FrameEncoder(feed: feed)
        self.pageRows = pageRows
        self.padding = String(repeating: "x", count: padding)
        self.passes = passes
    }

    /// How many pages were read.
    package var pagesRead: Int { state.withLock { $0.pagesRead } }

    /// How many reads wait for ``release()``.
    package var readsHeld: Int { state.withLock { $0.held.count } }

    /// The newest row; 0 when there is none.
    package var last: Int64 { state.withLock { $0.rows.last ?? 0 } }

    /// The JSON of a row that is there.
    ///
    /// A row written in a later generation says so, as it may have the id of one that went away.
    package func json(_ id: Int64) -> String {
        state.withLock { json(id, $0) }
    }

    private func json(_ id: Int64, _ state: borrowing State) -> String {
        let written = state.written[id].map { ",\"generation\":\($0)" } ?? ""
        return padding.isEmpty ? "{\"id\":\(id)\(written)}" : "{\"id\":\(id)\(written),\"padding\":\"\(padding)\"}"
    }

    /// Has reads fail, or succeed again.
    package func fail(_ failing: Bool) {
        state.withLock { $0.failing = failing }
    }

    /// Has reads wait until ``release()``.
    package func hold() {
        state.withLock { $0.isHeld = true }
    }

    /// Lets reads go on that wait.
    package func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            state.isHeld = false
            return state.held
        }
        for promise in held { promise.succeed() }
    }

    /// Adds rows without telling anyone; returns their segment for ``Feed/publish(_:)``.
    package func append(_ ids: ClosedRange<Int64>, foundAt: ContinuousClock.Instant? = .now) -> Segment {
        state.withLock { state in
            let after = state.rows.last.map(Position.integer) ?? .earliest
            state.rows.append(contentsOf: ids)
            if state.generation > 0 {
                for id in ids { state.written[id] = state.generation }
            }
            return segment(ids, after: after, through: .integer(ids.upperBound), state, foundAt)
        }
    }

    /// Drops the rows past a position, as a restored backup does.
    package func rewind(to last: Int64, generation: Int) {
        state.withLock { state in
            state.rows.removeAll { $0 > last }
            state.written = state.written.filter { $0.key <= last }
            state.generation = generation
        }
    }

    private func segment(
        _ ids: some Sequence<Int64>,
        after: Position,
        through: Position,
        _ state: borrowing State,
        _ foundAt: ContinuousClock.Instant?
    ) -> Segment {
        var writer = ByteWriter()
        var events: [Segment.Event] = []
        for id in ids where passes(id) {
            let position = Position.integer(id)
            let start = framing.open(EventID(position, generation: state.generation), in: &writer)
            writer.write(text: json(id, state))
            framing.close(&writer, from: start)
            events.append(Segment.Event(position: position, end: writer.count))
        }
        return Segment(
            generation: state.generation,
            after: after,
            through: through,
            copying: writer.bytes,
            events: events,
            foundAt: foundAt
        )
    }

    /// Completes when reads aren't held.
    private func turn(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        state.withLock { state in
            guard state.isHeld else { return eventLoop.makeSucceededVoidFuture() }
            let promise = eventLoop.makePromise(of: Void.self)
            state.held.append(promise)
            return promise.futureResult
        }
    }

    /// Reads a page.
    package func page(
        after: Position,
        through: Position,
        generation: Int,
        for interest: PageInterest,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        turn(on: eventLoop).flatMapThrowing { try self.page(after: after, through: through) }
    }

    private func page(after: Position, through: Position) throws -> Segment {
        try state.withLock { state in
            state.pagesRead += 1
            guard !state.failing else { throw Failure() }
            let ids = state.rows[state.rows.count(through: after)..<state.rows.count(through: through)].prefix(pageRows)
            let last = ids.count < pageRows ? through : ids.last.map(Position.integer) ?? through
            return segment(ids, after: after, through: last, state, nil)
        }
    }

    /// Finds the position before the newest rows.
    package func position(
        beforeNewest count: Int,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        turn(on: eventLoop).flatMapThrowing {
            try self.state.withLock { state in
                guard !state.failing else { throw Failure() }
                let known = state.rows.count(through: head)
                return known > count ? .integer(state.rows[known - count - 1]) : .earliest
            }
        }
    }

    /// There is never more than was published.
    package func refresh(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        eventLoop.makeSucceededVoidFuture()
    }
}

extension [Int64] {
    /// How many of these, in ascending order, lie at a position or before it.
    fileprivate func count(through position: Position) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if .integer(self[middle]) <= position {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
