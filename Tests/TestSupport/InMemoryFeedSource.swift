// SPDX-License-Identifier: Apache-2.0

import EventStream
package import NIOCore
package import RowtailCore
import Synchronization

/// A feed's source in memory: rows are appended by hand, and subscribers behind the tail read them from here.
package final class InMemoryFeedSource: FeedSource {
    private struct State {
        var rows: [Int64] = []
        var generation = 0
        var pagesRead = 0
        var failing = false
    }

    private let state = Mutex(State())
    private let framing: FrameEncoder
    private let pageRows: Int

    /// A source without rows.
    package init(feed: String = "orders", pageRows: Int = 100) {
        framing = FrameEncoder(feed: feed)
        self.pageRows = pageRows
    }

    /// How many pages were read.
    package var pagesRead: Int { state.withLock { $0.pagesRead } }

    /// Has reads fail, or succeed again.
    package func fail(_ failing: Bool) {
        state.withLock { $0.failing = failing }
    }

    /// Adds rows without telling anyone; returns their segment for ``Feed/publish(_:)``.
    package func append(_ ids: ClosedRange<Int64>, foundAt: ContinuousClock.Instant? = .now) -> Segment {
        state.withLock { state in
            let after = state.rows.last.map(Position.integer) ?? .earliest
            state.rows.append(contentsOf: ids)
            return segment(Array(ids), after: after, through: .integer(ids.upperBound), state.generation, foundAt)
        }
    }

    /// Drops the rows past a position, as a restored backup does.
    package func rewind(to last: Int64, generation: Int) {
        state.withLock { state in
            state.rows.removeAll { $0 > last }
            state.generation = generation
        }
    }

    private func segment(
        _ ids: [Int64],
        after: Position,
        through: Position,
        _ generation: Int,
        _ foundAt: ContinuousClock.Instant?
    ) -> Segment {
        var writer = ByteWriter()
        var events: [Segment.Event] = []
        for id in ids {
            let position = Position.integer(id)
            let start = framing.open(EventID(position, generation: generation), in: &writer)
            writer.write(text: "{\"id\":\(id)}")
            framing.close(&writer, from: start)
            events.append(Segment.Event(position: position, end: writer.count))
        }
        return Segment(
            generation: generation,
            after: after,
            through: through,
            copying: writer.bytes,
            events: events,
            foundAt: foundAt
        )
    }

    /// Reads a page.
    package func page(
        after: Position,
        through: Position,
        generation: Int,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        let page: Segment? = state.withLock { state in
            state.pagesRead += 1
            guard !state.failing else { return nil }
            let ids = state.rows.filter { .integer($0) > after && .integer($0) <= through }.prefix(pageRows)
            let isWhole = ids.count < pageRows
            let last = isWhole ? through : ids.last.map(Position.integer) ?? through
            return segment(Array(ids), after: after, through: last, state.generation, nil)
        }
        guard let page else { return eventLoop.makeFailedFuture(StreamClient.Closed()) }
        return eventLoop.makeSucceededFuture(page)
    }

    /// Finds the position before the newest rows.
    package func position(
        beforeNewest count: Int,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        let rows = state.withLock { $0.rows }.filter { .integer($0) <= head }
        let position = rows.count > count ? Position.integer(rows[rows.count - count - 1]) : .earliest
        return eventLoop.makeSucceededFuture(position)
    }

    /// There is never more than was published.
    package func refresh(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        eventLoop.makeSucceededVoidFuture()
    }
}
