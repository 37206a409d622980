// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// The schema changes under the daemon: `H19` and `H51`.
@Suite(.timeLimit(.minutes(1))) struct SchemaHazardTests {
    private static func watch(
        _ sql: String = TemporaryDatabase.orders,
        _ configure: (inout WatchedTable) -> Void = { _ in }
    ) async throws -> (TemporaryDatabase, WatchedFile, FeedFollower) {
        let database = try TemporaryDatabase(sql)
        var watched = WatchedTable(feed: "orders", table: "orders")
        configure(&watched)
        let watch = await WatchedFile(database.path, watched)
        try await watch.poll()
        return (database, watch, watch.follow())
    }

    private static let insert = "INSERT INTO orders (customer) VALUES ('ada');"

    @Test func `H19: the double-quoted name of a dropped column is an error and no text`() async throws {
        let (database, watch, client) = try await Self.watch(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL, status TEXT);"
        ) { $0.filter = #""status" <> 'void'"# }
        try database.execute("INSERT INTO orders (customer, status) VALUES ('ada', 'void'), ('bob', 'paid')")
        try await watch.poll()
        #expect(try await client.take() == ["2"])

        try database.execute("ALTER TABLE orders DROP COLUMN status; \(Self.insert)")
        try await watch.poll()
        #expect(
            watch.state
                == .broken("table 'orders' can't be read: no such column: status; correct feeds.orders.where")
        )
        #expect(try await client.take() == [])

        try database.execute("ALTER TABLE orders ADD COLUMN status TEXT DEFAULT 'new'")
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["3"])
    }

    @Test func `H51: a column added, dropped or renamed shows in the rows that follow`() async throws {
        let (database, watch, client) = try await Self.watch()
        func rows(_ sql: String) async throws -> [String] {
            try database.execute("\(sql); \(Self.insert)")
            try await watch.poll()
            _ = try await client.take()
            return client.rows
        }
        #expect(try await rows("") == [#"{"id":1,"customer":"ada","total":null}"#])
        #expect(
            try await rows("ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'x'")
                == [#"{"id":2,"customer":"ada","total":null,"note":"x"}"#]
        )
        #expect(
            try await rows("ALTER TABLE orders DROP COLUMN total") == [#"{"id":3,"customer":"ada","note":"x"}"#]
        )
        #expect(
            try await rows("ALTER TABLE orders RENAME COLUMN note TO remark")
                == [#"{"id":4,"customer":"ada","remark":"x"}"#]
        )
        #expect(
            try await rows("ALTER TABLE orders RENAME COLUMN id TO number")
                == [#"{"number":5,"customer":"ada","remark":"x"}"#]
        )
        #expect(watch.feed.status.history.current == 0)
        #expect(watch.state == .live)
    }

    @Test func `H51: replay sees the columns of the moment`() async throws {
        let (database, watch, _) = try await Self.watch { $0.pageRows = 1 }
        try database.execute(Self.insert)
        try await watch.poll()
        #expect(try await watch.page(through: .integer(1)).frames()[0].data?.contains("note") == false)
        try database.execute("ALTER TABLE orders ADD COLUMN note TEXT")
        #expect(try await watch.page(through: .integer(1)).frames()[0].data?.contains("note") == true)
    }

    @Test func `H51: generated columns are columns like others`() async throws {
        let (database, watch, client) = try await Self.watch(
            """
            CREATE TABLE orders (
                id INTEGER PRIMARY KEY, customer TEXT,
                loud TEXT AS (upper(customer)) VIRTUAL, length INTEGER AS (length(customer)) STORED)
            """
        )
        try database.execute(Self.insert)
        try await watch.poll()
        _ = try await client.take()
        #expect(client.rows == [#"{"id":1,"customer":"ada","loud":"ADA","length":3}"#])
        try database.execute("DELETE FROM orders")
        try await watch.poll()
        #expect(watch.feed.status.history.current == 1)
    }

    @Test func `H51: a dropped watermark column breaks the feed until it is back`() async throws {
        let (database, watch, client) = try await Self.watch(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, n INTEGER NOT NULL DEFAULT 0);"
                + "CREATE UNIQUE INDEX orders_n ON orders (n);"
        ) { $0.watermark = "n" }
        try database.execute("INSERT INTO orders (customer, n) VALUES ('ada', 1)")
        try await watch.poll()
        #expect(try await client.take() == ["1"])
        try database.execute(
            "DROP INDEX orders_n; ALTER TABLE orders RENAME COLUMN n TO m; INSERT INTO orders (m) VALUES (2)"
        )
        try await watch.poll()
        #expect(
            watch.state
                == .broken(
                    "table 'orders' has no column 'n'; set feeds.orders.watermark to one of: id, customer, m"
                )
        )
        #expect(watch.feed.status.lastError?.contains("no column 'n'") == true)
        try database.execute("ALTER TABLE orders RENAME COLUMN m TO n; CREATE UNIQUE INDEX orders_n ON orders (n)")
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["2"])
    }

    @Test func `H51: a column that was asked for and went breaks the feed until it is back`() async throws {
        let (database, watch, client) = try await Self.watch { $0.columns = ["total", "ID"] }
        try database.execute("INSERT INTO orders (total) VALUES (1)")
        try await watch.poll()
        _ = try await client.take()
        #expect(client.rows == [#"{"total":1.0,"id":1}"#])
        try database.execute("ALTER TABLE orders RENAME COLUMN total TO amount; \(Self.insert)")
        try await watch.poll()
        #expect(
            watch.state
                == .broken(
                    "table 'orders' has no column 'total'; set feeds.orders.columns to some of: id, customer, amount"
                )
        )
        try database.execute("ALTER TABLE orders RENAME COLUMN amount TO total")
        try await watch.poll()
        #expect(try await client.take() == ["2"])
    }

    @Test func `H51: a dropped table breaks the feed and not its neighbour, and heals`() async throws {
        let (database, watch, client) = try await Self.watch()
        let other = Feed(options: Feed.Options(name: "users", table: "users"), source: InMemoryFeedSource())
        other.countSubscriber(1)
        try database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY); \(Self.insert)")
        await watch.poller.add(
            other,
            watched: WatchedTable(feed: "users", table: "users"),
            framing: TextFraming()
        )
        let news = FeedRecorder(other)
        try await watch.poll()
        _ = try await client.take()

        try database.execute("DROP TABLE orders; INSERT INTO users VALUES (1)")
        try await watch.poll()
        #expect(watch.state == .broken("table 'orders' was dropped; it is waited for"))
        #expect(other.status.state == .live)
        #expect(try await news.view().head == .integer(1))

        try database.execute("\(TemporaryDatabase.orders) INSERT INTO orders (customer, total) VALUES ('bob', 2)")
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["reset replaced 1 -> earliest@1", "1@1"])
    }

    @Test func `H51: a table that isn't there yet is waited for`() async throws {
        let database = try TemporaryDatabase("CREATE TABLE other (a)")
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        #expect(watch.state == .waiting("database '\(database.path)' has no table 'orders' yet; it is waited for"))
        #expect(watch.feed.status.polls == [.waiting: 1])
        let client = watch.follow()
        try database.execute(TemporaryDatabase.orders + Self.insert)
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["1"])
    }

    @Test(arguments: [
        TemporaryDatabase.orders,
        RowIDHazardTests.reusing,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT);",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY);",
    ])
    func `H51: a column added while the daemon was down is no break`(table: String) async throws {
        let database = try TemporaryDatabase(table)
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try database.execute("INSERT INTO orders DEFAULT VALUES; INSERT INTO orders DEFAULT VALUES;")
        do {
            let watch = await WatchedFile(database.path, state: state)
            try await watch.poll()
            await watch.poller.close()
        }
        try database.execute(
            """
            ALTER TABLE orders ADD COLUMN note TEXT DEFAULT 'x';
            ALTER TABLE orders ADD COLUMN more INTEGER;
            INSERT INTO orders DEFAULT VALUES;
            """
        )
        let watch = await WatchedFile(database.path, state: state)
        try await watch.poll()
        #expect(watch.feed.status.history.current == 0)
        #expect(try await watch.follow(after: .integer(2)).take() == ["3"])
    }
}

/// Events that are their ids and rows, a line each.
struct TextFraming: EventFraming {
    func open(_ id: EventID, in writer: inout ByteWriter) -> Int {
        let start = writer.count
        writer.write(text: "id: \(id)\ndata: ")
        return start
    }

    func close(_ writer: inout ByteWriter, from start: Int) {
        writer.write("\n\n")
    }

    func reset(_ reset: Reset, at id: EventID, in writer: inout ByteWriter) {
        writer.write(text: "id: \(id)\nevent: reset\ndata: \(reset.reason)\n\n")
    }

    func oversize(_ id: EventID, bytes: Int, in writer: inout ByteWriter) {
        writer.write(text: "id: \(id)\nevent: oversize\ndata: \(bytes)\n\n")
    }
}
