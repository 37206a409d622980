// SPDX-License-Identifier: Apache-2.0

import EventStream
package import Logging
import NIOCore
import NIOPosix
package import RowtailCore
package import SQLiteSource

/// Leads to a source that somebody else keeps, so that a feed and the poller that it belongs to can go away.
private final class WeakSource: FeedSource {
    private struct Gone: Error {}

    private weak let source: SQLiteFeedSource?

    init(_ source: SQLiteFeedSource) {
        self.source = source
    }

    func page(
        after: Position,
        through: Position,
        generation: Int,
        for interest: PageInterest,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        source?.page(after: after, through: through, generation: generation, for: interest, on: eventLoop)
            ?? eventLoop.makeFailedFuture(Gone())
    }

    func position(
        beforeNewest count: Int,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        source?.position(beforeNewest: count, through: head, on: eventLoop) ?? eventLoop.makeFailedFuture(Gone())
    }

    func position(
        before time: UnixTime,
        through head: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        source?.position(before: time, through: head, on: eventLoop) ?? eventLoop.makeFailedFuture(Gone())
    }

    func refresh(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        source?.refresh(on: eventLoop) ?? eventLoop.makeFailedFuture(Gone())
    }
}

/// A daemon's view of one table without the server: a poller with one feed, polled by hand.
package struct WatchedFile: Sendable {
    /// The poller of the file.
    package let poller: DatabasePoller

    /// The feed of the table.
    package let feed: Feed

    /// Takes the feed's news.
    package let recorder: FeedRecorder

    /// Reads behind the tail.
    package let pool: ReplayPool

    private let source: SQLiteFeedSource
    private let database: TemporaryDatabase?

    /// Watches a table of a file, `orders` when none is given.
    ///
    /// `database` has to live as long as this; `isListenedTo` says whether there is a subscriber, so that rows are read;
    /// `onNews` is called on the event loop with each piece of news.
    package init(
        _ path: String,
        _ watched: WatchedTable = WatchedTable(feed: "orders", table: "orders"),
        state: StateDirectory? = nil,
        tailBytes: Int = 8 << 20,
        replays: Int? = 4,
        keeping database: TemporaryDatabase? = nil,
        isListenedTo: Bool = true,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        clock: WallClock = .system,
        onNews: @escaping @Sendable (FeedNews) -> Void = { _ in }
    ) async {
        self.database = database
        poller = DatabasePoller(
            path: path,
            state: state,
            logger: logger,
            on: MultiThreadedEventLoopGroup.singleton.next(),
            clock: clock
        )
        pool = ReplayPool(limit: replays)
        let framing = FrameEncoder(feed: watched.feed)
        source = SQLiteFeedSource(watched, framing: framing, poller: poller, pool: pool)
        let options = Feed.Options(
            name: watched.feed,
            table: watched.table,
            mode: watched.mode,
            tailBytes: tailBytes
        )
        feed = Feed(options: options, source: WeakSource(source))
        recorder = FeedRecorder(feed, onNews: onNews)
        if isListenedTo { feed.countSubscriber(1) }
        await poller.add(feed, watched: watched, framing: framing)
    }

    /// Polls once.
    ///
    /// - Returns: What the feed announced since the last call, in the words of ``FeedRecorder/take()``.
    @discardableResult
    package func poll() async throws -> [String] {
        await poller.poll()
        return try await recorder.take()
    }

    /// How the feed fares.
    package var state: FeedState {
        feed.status.state
    }

    /// A client's stream after an id of the current generation.
    package func follow(
        after position: Position = .earliest,
        generation: Int = 0,
        limit: Int? = nil,
        until: Position? = nil,
        policy: ResetPolicy = .earliest
    ) -> FeedFollower {
        FeedFollower(
            feed,
            recorder,
            after: EventID(position, generation: generation),
            limit: limit,
            until: until,
            policy: policy
        )
    }

    /// Reads a page behind the tail.
    package func page(
        after: Position = .earliest,
        through: Position,
        generation: Int = 0
    ) async throws -> Segment {
        try await feed.source.page(
            after: after,
            through: through,
            generation: generation,
            on: recorder.eventLoop
        ).get()
    }

    /// Finds the position before the newest rows.
    package func position(beforeNewest count: Int, through head: Position) async throws -> Position {
        try await feed.source.position(beforeNewest: count, through: head, on: recorder.eventLoop).get()
    }
}
