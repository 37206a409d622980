// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Where a feed's rows come from: pages after a position, and news of a new head.
///
/// News goes to the ``Feed`` by ``Feed/publish(_:)`` and its like; this is the other direction, for subscribers that are
/// behind the tail. Nothing here knows of SQLite.
package protocol FeedSource: Sendable {
    /// Reads the page after a position, encoded, no further than `through`.
    ///
    /// Identical requests under way are answered by one read. The segment's generation is the feed's at the time of the
    /// read; a page that was overtaken by a new generation fails.
    ///
    /// - Parameters:
    ///   - after: The page begins just after this position.
    ///   - through: The last position wanted; the page may end before.
    ///   - generation: The generation that the positions belong to.
    ///   - interest: Whether somebody still waits for it.
    ///   - eventLoop: Where the future is completed.
    /// - Returns: A segment that begins at `after`; it fails when nobody waits for it any more by the time it is its turn.
    func page(
        after: Position,
        through: Position,
        generation: Int,
        for interest: PageInterest,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment>

    /// Finds the position just before the newest rows.
    ///
    /// - Parameters:
    ///   - count: How many rows, at least 1.
    ///   - head: The newest position that counts.
    ///   - eventLoop: Where the future is completed.
    /// - Returns: `earliest` when there are no more rows than that.
    func position(
        beforeNewest count: Int,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position>

    /// Finds the position just before the rows of a time and later.
    ///
    /// - Parameters:
    ///   - time: The time.
    ///   - head: The newest position that counts.
    ///   - eventLoop: Where the future is completed.
    /// - Returns: `earliest` when there are no older rows; fails with ``NoTimes`` where rows have none.
    func position(
        before time: UnixTime,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position>

    /// Looks for new rows now.
    ///
    /// - Returns: Succeeds after a poll that began after this call, whatever came of it.
    func refresh(on eventLoop: any EventLoop) -> EventLoopFuture<Void>
}

/// The rows of a feed have no times that could be looked up.
package struct NoTimes: Error {
    /// Says so.
    package init() {}
}

extension FeedSource {
    /// Finds nothing, as most sources know no times.
    package func position(
        before time: UnixTime,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        eventLoop.makeFailedFuture(NoTimes())
    }

    /// Reads the page after a position for somebody who waits whatever happens.
    package func page(
        after: Position,
        through: Position,
        generation: Int,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        page(after: after, through: through, generation: generation, for: PageInterest(), on: eventLoop)
    }
}
