// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// What becomes of the history where rows move: `H27` to `H29` and `H51` in mode `updated`.
@Suite(.timeLimit(.minutes(1))) struct UpdatedRestoreTests {
    private static let table = """
        CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT, changed INTEGER);
        CREATE INDEX changes ON orders (changed);
        """
    private static let now = 1_700_000_000
    private static let watched = WatchedTable(feed: "orders", table: "orders", mode: .updated, watermark: "changed")

    private let clock = SetClock()
    private let database: TemporaryDatabase

    init() throws {
        database = try TemporaryDatabase(journalMode: "delete", Self.table)
        try database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
            INSERT INTO orders SELECT i, 'new ' || i, \(Self.now) - 1000 + i FROM n;
            """
        )
    }

    private func watch(_ watched: WatchedTable = watched, state: StateDirectory? = nil) async -> WatchedFile {
        await WatchedFile(database.path, watched, state: state, clock: clock.clock)
    }

    @Test func `updates and deletes of everything, also of the newest rows, are no break`() async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        let watch = await watch(state: state)
        try await watch.poll()
        try database.execute("DELETE FROM orders WHERE id > 90; UPDATE orders SET changed = \(Self.now + 100)")
        #expect(try await watch.poll() == [])
        await watch.poller.close()
        let again = await self.watch(state: state)
        try await again.poll()
        #expect(again.feed.status.history.current == 0)
        #expect("\(again.feed.status.head)" == "\(Self.now - 900)~100")
        clock.seconds += 200
        try await again.poll()
        #expect(try await again.follow(after: again.feed.status.head).take() == [])
        #expect("\(again.feed.status.head)" == "\(Self.now + 100)~90")
    }

    @Test(arguments: [true, false])
    func `the newest row went while nobody watched: a break unless a newer one came, settled or not`(
        hasNewer: Bool
    ) async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        let watch = await watch(state: state)
        try await watch.poll()
        await watch.poller.close()
        try database.execute("DELETE FROM orders WHERE id = 100")
        if hasNewer { try database.execute("INSERT INTO orders VALUES (101, 'new 101', \(Self.now - 1))") }
        let again = await self.watch(state: state)
        try await again.poll()
        #expect(again.feed.status.history.breaks.map { "\($0.base)" } == (hasNewer ? [] : ["\(Self.now - 901)~99"]))
    }

    @Test(arguments: ["replaced", "overwritten", "restored"])
    func `H29: an older copy rewinds clients to what is shared`(how: String) async throws {
        let watch = await watch()
        try await watch.poll()
        let copy = try database.copy()
        try database.execute("UPDATE orders SET state = 'paid', changed = \(Self.now - 10) + id WHERE id < 5")
        try await watch.poll()
        let client = watch.follow(after: watch.feed.status.head)
        #expect(client.state.id.description == "\(Self.now - 6)~4")
        switch how {
        case "replaced": try database.replace(by: copy)
        case "overwritten": try database.overwrite(with: copy)
        default: try database.restore(from: copy)
        }
        try await watch.poll()
        let told = try await client.take()
        #expect(told == ["reset rewound \(Self.now - 6)~4 -> \(Self.now - 900)~100@1"])
        try database.execute("UPDATE orders SET state = 'sent', changed = \(Self.now - 3) WHERE id = 4")
        try await watch.poll()
        #expect(try await client.take() == ["\(Self.now - 3)~4@1"])
    }

    @Test func `H29: an older copy that grew past the watermark while nobody watched is found out`() async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        let watch = await watch(state: state)
        try await watch.poll()
        let copy = try database.copy()
        try database.execute("UPDATE orders SET state = 'paid', changed = \(Self.now - 10) + id WHERE id < 5")
        try await watch.poll()
        await watch.poller.close()
        try database.replace(by: copy)
        try database.execute("UPDATE orders SET state = 'sent', changed = \(Self.now - 3) WHERE id = 50")
        let again = await self.watch(state: state)
        try await again.poll()
        #expect(again.feed.status.history.breaks.map { "\($0.base)" } == ["\(Self.now - 900)~100"])
    }

    @Test func `another database is replaced by none of the old rows`() async throws {
        let watch = await watch()
        try await watch.poll()
        let client = watch.follow(after: watch.feed.status.head)
        let other = try TemporaryDatabase(journalMode: "delete", Self.table, name: "other.db")
        try other.execute("INSERT INTO orders VALUES (7, 'other', \(Self.now - 5000))")
        try database.replace(by: other.path)
        try await watch.poll()
        #expect(
            try await client.take() == ["reset replaced \(Self.now - 900)~100 -> earliest@1", "\(Self.now - 5000)~7@1"]
        )
    }

    @Test func `a feed that changes its mode or its key starts a new history`() async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        let append = await watch(WatchedTable(feed: "orders", table: "orders"), state: state)
        try await append.poll()
        await append.poller.close()
        let updated = await watch(state: state)
        try await updated.poll()
        #expect(updated.feed.status.history.breaks.map(\.replaced) == [true])
        #expect("\(updated.feed.status.head)" == "\(Self.now - 900)~100")
        await updated.poller.close()
        let back = await watch(WatchedTable(feed: "orders", table: "orders"), state: state)
        try await back.poll()
        #expect(back.feed.status.history.breaks.map(\.replaced) == [true, true])
        #expect(back.feed.status.head == .integer(100))
    }

    @Test func `H51: a watermark column that goes away breaks the feed until it comes back`() async throws {
        let watch = await watch()
        try await watch.poll()
        try database.execute("ALTER TABLE orders RENAME COLUMN changed TO changed_at")
        try await watch.poll()
        #expect(
            watch.state.reason
                == "table 'orders' has no column 'changed'; set feeds.orders.watermark to one of: id, state, changed_at"
        )
        try database.execute(
            "ALTER TABLE orders RENAME COLUMN changed_at TO changed; UPDATE orders SET changed = \(Self.now - 5) WHERE id = 1"
        )
        #expect(try await watch.poll() == ["\(Self.now - 5)~1"])
        #expect(watch.feed.status.history.current == 0)
    }

    @Test func `a row that is written without its time is no older copy`() async throws {
        let watch = await watch()
        try await watch.poll()
        try database.execute("UPDATE orders SET state = 'silent' WHERE id > 50; DELETE FROM orders WHERE id = 100")
        try await watch.poll()
        #expect(watch.feed.status.history.current == 0)
    }
}
