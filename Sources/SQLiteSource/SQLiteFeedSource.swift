// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import RowtailCore
import Synchronization

/// A table of a SQLite file as the source of a feed.
package final class SQLiteFeedSource: FeedSource {
    private static let made = Atomic(0)

    /// Tells this source from every other, also from an earlier one of the same feed.
    let number: Int
    let name: String
    let path: String
    let watched: WatchedTable
    let framing: any EventFraming
    private let poller: DatabasePoller
    private let pool: ReplayPool

    /// Ties a table to the poller of its file and to the pool that reads behind the tail.
    package init(_ watched: WatchedTable, framing: any EventFraming, poller: DatabasePoller, pool: ReplayPool) {
        number = Self.made.add(1, ordering: .relaxed).newValue
        name = watched.feed
        path = poller.path
        self.watched = watched
        self.framing = framing
        self.poller = poller
        self.pool = pool
        poller.share(with: pool)
    }

    /// How often the poller opened the file.
    var opened: Int { poller.opened }

    /// Reads a page over the pool.
    package func page(
        after: Position,
        through: Position,
        generation: Int,
        for interest: PageInterest,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        pool.page(self, after: after, through: through, generation: generation, for: interest, on: eventLoop)
    }

    /// Finds a position over the pool.
    package func position(
        beforeNewest count: Int,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        pool.position(self, beforeNewest: count, through: head, on: eventLoop)
    }

    /// Finds a position over the pool.
    package func position(
        before time: UnixTime,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        pool.position(self, before: time, through: head, on: eventLoop)
    }

    /// Has the poller see for itself whether what could not be read for a client can be.
    func examine(_ read: ReplayRead) {
        poller.examine(read, of: watched)
    }

    /// Has the file polled now.
    package func refresh(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        poller.refresh(on: eventLoop)
    }
}
