// SPDX-License-Identifier: Apache-2.0

import EventStream
import Foundation
import Logging
import NIOCore
import NIOPosix
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// Feeds that come to a file and leave it while it is polled.
@Suite(.timeLimit(.minutes(1))) struct FeedChangeTests {
    private let database: TemporaryDatabase
    private let state: StateDirectory
    private let poller: DatabasePoller
    private let pool = ReplayPool(limit: 1)
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.any()

    init() throws {
        database = try TemporaryDatabase(journalMode: "wal")
        state = try StateDirectory(path: database.directory.file("state"))
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        poller = DatabasePoller(path: database.path, state: state, logger: logger, on: eventLoop)
    }

    private func feed(_ name: String = "orders", columns: [String]? = nil) async -> (Feed, SQLiteFeedSource) {
        let watched = WatchedTable(feed: name, table: "orders", columns: columns)
        let source = SQLiteFeedSource(watched, framing: FrameEncoder(feed: name), poller: poller, pool: pool)
        let feed = Feed(options: Feed.Options(name: name, table: "orders"), source: source)
        await poller.add(feed, watched: watched, framing: FrameEncoder(feed: name))
        return (feed, source)
    }

    @Test func `a feed that is added to a file which is polled already is read at once`() async throws {
        try database.insertOrders(3)
        let (first, _) = await feed()
        await poller.poll()
        let (second, _) = await feed("more")
        await poller.poll()
        #expect(first.status.head == .integer(3))
        #expect(second.status.head == .integer(3))
        #expect(second.status.state == .live)
        await poller.close()
    }

    @Test func `a feed that is removed is polled no more, and the next of its name takes up what was stored`()
        async throws
    {
        try database.insertOrders(3)
        let (first, _) = await feed()
        await poller.poll()
        await poller.remove(first)
        try database.execute("DELETE FROM orders WHERE id = 3; UPDATE sqlite_sequence SET seq = 2")
        await poller.poll()
        #expect(first.status.head == .integer(3))
        let (second, _) = await feed()
        await poller.poll()
        // What happened in between was not seen, but the record proves it.
        #expect(second.status.history.current == 1)
        #expect(second.status.head == .integer(2))
        await poller.close()
    }

    @Test func `without a state directory, the next feed of a name goes on in the same generation`() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let poller = DatabasePoller(path: database.path, state: nil, logger: logger, on: eventLoop)
        let watched = WatchedTable(feed: "orders", table: "orders")
        func feed(_ heritage: FeedHeritage?) async -> Feed {
            let framing = FrameEncoder(feed: "orders")
            let source = SQLiteFeedSource(watched, framing: framing, poller: poller, pool: pool)
            let feed = Feed(options: Feed.Options(name: "orders", table: "orders"), source: source)
            await poller.add(feed, watched: watched, framing: framing, heritage: heritage)
            await poller.poll()
            return feed
        }
        try database.insertOrders(3)
        let first = await feed(nil)
        try database.execute("DELETE FROM orders WHERE id = 3; UPDATE sqlite_sequence SET seq = 2")
        await poller.poll()
        #expect(first.status.history.current == 1)
        let heritage = await poller.remove(first)
        try database.insertOrders(1)
        let second = await feed(heritage)
        #expect(second.status.history == first.status.history)
        #expect(second.status.head == .integer(3))
        await poller.close()
    }

    @Test func `a poller that was closed opens nothing any more, and answers all the same`() async throws {
        let (feed, source) = await feed()
        await poller.poll()
        await poller.close()
        try await source.refresh(on: eventLoop).get()
        await poller.poll()
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }
        #expect(!open.contains { $0.hasPrefix(database.path) })
        #expect(feed.status.state == .live)
    }

    @Test func `feeds, sources and pollers go away with the last that needs them`() async throws {
        weak var feed: Feed?
        weak var source: SQLiteFeedSource?
        do {
            let (made, itsSource) = await self.feed()
            (feed, source) = (made, itsSource)
            await poller.poll()
            await poller.remove(made)
        }
        // What is being written refers to it.
        state.flush()
        try await eventually { feed == nil && source == nil }
        await poller.close()
    }

    @Test func `a page is read as the feed of now wants it, not as an earlier one of its name did`() async throws {
        try database.insertOrders(3)
        let (first, old) = await feed(columns: ["id"])
        await poller.poll()
        func page(_ source: SQLiteFeedSource) async throws -> String {
            let page = try await pool.page(source)
            return String(decoding: page.bytes, as: UTF8.self)
        }
        #expect(try await page(old).contains(#"{"id":1}"#))
        await poller.remove(first)
        let (_, new) = await feed(columns: ["id", "customer"])
        await poller.poll()
        #expect(try await page(new).contains(#"{"id":1,"customer":"ada"}"#))
        pool.keep(only: [new])
        #expect(try await page(new).contains(#"{"id":1,"customer":"ada"}"#))
        await poller.close()
        await pool.stop()
    }

    @Test func `an interval that was long becomes short at once`() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let schedule = PollSchedule(poller, interval: .seconds(3600), wakesOnWrite: false, logger: logger)
        let (feed, _) = await feed()
        await schedule.start()
        try await eventually { feed.status.state == .live }
        try database.insertOrders(1)
        await schedule.change(interval: .milliseconds(10), wakesOnWrite: false)
        try await eventually { feed.status.head == .integer(1) }
        try database.insertOrders(1)
        try await eventually { feed.status.head == .integer(2) }
        #expect(await schedule.makesProgress(within: .seconds(30)))
        await schedule.change(interval: .seconds(3600), wakesOnWrite: true)
        try database.insertOrders(1)
        try await eventually { feed.status.head == .integer(3) }
        await schedule.stop()
    }
}

extension ReplayPool {
    /// The first page of a source.
    fileprivate func page(_ source: SQLiteFeedSource) async throws -> Segment {
        try await source.page(
            after: .earliest,
            through: .integer(3),
            generation: 0,
            on: MultiThreadedEventLoopGroup.singleton.any()
        ).get()
    }
}
