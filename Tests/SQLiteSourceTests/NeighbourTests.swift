// SPDX-License-Identifier: Apache-2.0

import EventStream
import Logging
import NIOPosix
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct NeighbourTests {
    private func add(_ watched: WatchedTable, to poller: DatabasePoller) async -> Feed {
        let framing = FrameEncoder(feed: watched.feed)
        let pool = ReplayPool(limit: 1)
        let source = SQLiteFeedSource(watched, framing: framing, poller: poller, pool: pool)
        let feed = Feed(options: Feed.Options(name: watched.feed, table: watched.table), source: source)
        feed.countSubscriber(1)
        await poller.add(feed, watched: watched, framing: framing)
        return feed
    }

    @Test func `a feed that fails at a row puts no other feed's history in doubt`() async throws {
        let database = try TemporaryDatabase(
            TemporaryDatabase.orders + "CREATE TABLE jobs (id INTEGER PRIMARY KEY, status TEXT);"
        )
        try database.execute(
            "INSERT INTO orders (customer) VALUES ('no JSON'); INSERT INTO jobs (status) VALUES ('new'), ('old')"
        )
        let poller = DatabasePoller(
            path: database.path,
            state: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            on: MultiThreadedEventLoopGroup.singleton.any()
        )
        let filter = "json_extract(customer, '$.a') = 1"
        let failing = await add(WatchedTable(feed: "orders", table: "orders", filter: filter), to: poller)
        let jobs = await add(WatchedTable(feed: "jobs", table: "jobs"), to: poller)
        for round in 0..<5 {
            await poller.poll()
            try database.execute("UPDATE jobs SET status = 'round \(round)' || id")
        }
        await poller.poll()
        #expect(failing.status.lastError?.contains("JSON") == true)
        #expect(jobs.status.state == .live)
        #expect(jobs.status.history.current == 0)
    }

    @Test(arguments: ["x\"\u{301}y", "it'\u{301}s", "a\"b", "select"])
    func `any name is a table's and a column's`(name: String) async throws {
        func quoted(_ text: String) -> String {
            "\"" + text.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
        }
        let database = try TemporaryDatabase(
            "CREATE TABLE \(quoted(name)) (id INTEGER PRIMARY KEY AUTOINCREMENT, \(quoted(name)) TEXT);"
        )
        try database.execute("INSERT INTO \(quoted(name)) VALUES (1, 'a')")
        let watch = await WatchedFile(database.path, WatchedTable(feed: "orders", table: name))
        try await watch.poll()
        #expect(watch.state == .live, "\(watch.state)")
        #expect(watch.feed.status.head == .integer(1))
    }

    @Test func `a filter with a parameter is refused`() async throws {
        let database = try TemporaryDatabase()
        let watched = WatchedTable(feed: "orders", table: "orders", filter: "customer = ?")
        let watch = await WatchedFile(database.path, watched)
        try await watch.poll()
        #expect(watch.state.reason?.contains("has a parameter") == true)
    }
}
