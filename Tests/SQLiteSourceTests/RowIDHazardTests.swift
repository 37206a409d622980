// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// Ids that are given out again, restart, or never grow: `H1` to `H6`.
@Suite(.timeLimit(.minutes(1))) struct RowIDHazardTests {
    /// Ids of rows that went away may come again.
    static let reusing = "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL);"

    @Test func `H1: the newest row deleted without AUTOINCREMENT begins a generation`() async throws {
        let database = try TemporaryDatabase(Self.reusing)
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        #expect(try await watch.poll() == ["generation 0 head 5", "1 2 3 4 5"])
        let client = watch.follow(after: .integer(5))

        try database.execute("DELETE FROM orders WHERE id >= 4")
        #expect(try await watch.poll() == ["generation 1 head 3 base 3", "1@1 2@1 3@1"])
        #expect(try await client.take() == ["reset rewound 5 -> 3@1"])

        try database.insertOrders(3, customer: "bob")
        #expect(try await watch.poll() == ["4@1 5@1 6@1"])
        #expect(try await client.take() == ["4@1", "5@1", "6@1"])
        #expect(client.rows.first == #"{"id":4,"customer":"bob","total":1.5}"#)
    }

    @Test func `H1: a client behind the deleted rows notices nothing`() async throws {
        let database = try TemporaryDatabase(Self.reusing)
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(2))
        try database.execute("DELETE FROM orders WHERE id >= 4")
        try await watch.poll()
        #expect(try await client.take() == ["3@1"])
    }

    @Test func `H1: with AUTOINCREMENT deletes are harmless`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(5))

        try database.execute("DELETE FROM orders WHERE id >= 4")
        #expect(try await watch.poll() == [])
        try database.insertOrders(1)
        #expect(try await watch.poll() == ["6"])
        try database.execute(
            "INSERT INTO orders (customer) VALUES ('gone'); DELETE FROM orders WHERE customer = 'gone'"
        )
        try await watch.poll()
        #expect(watch.feed.status.head == .integer(7))
        #expect(try await client.take() == ["6"])
        #expect(watch.feed.status.history.current == 0)
    }

    @Test func `H1: rows in the place of deleted ones are not taken for those that were served`() async throws {
        let database = try TemporaryDatabase(Self.reusing)
        try database.insertOrders(10)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(10))
        // Between two polls, and fewer than there were.
        try database.execute("DELETE FROM orders WHERE id > 6; INSERT INTO orders (customer) VALUES ('bob'), ('cyd')")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 10 -> 6@1", "7@1", "8@1"])
        #expect(client.rows.first == #"{"id":7,"customer":"bob","total":null}"#)
    }

    @Test(arguments: [RowIDHazardTests.reusing, TemporaryDatabase.orders])
    func `H2: an emptied table whose ids restart rewinds to before the first row`(table: String) async throws {
        let database = try TemporaryDatabase(table)
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(5))

        let reset = table == Self.reusing ? "" : "DELETE FROM sqlite_sequence;"
        try database.execute("DELETE FROM orders; \(reset)")
        #expect(try await watch.poll() == ["generation 1 head earliest base earliest"])
        try database.insertOrders(2, customer: "bob")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 5 -> earliest@1", "1@1", "2@1"])
    }

    @Test func `H2: a table emptied and filled again between two polls skips nothing`() async throws {
        let database = try TemporaryDatabase(Self.reusing)
        try database.insertOrders(9)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(9))
        try database.execute("DELETE FROM orders; INSERT INTO orders (customer) VALUES ('bob'), ('cyd'), ('dan')")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 9 -> earliest@1", "1@1", "2@1", "3@1"])
    }

    @Test func `H2: an emptied table with AUTOINCREMENT goes on where it was`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute("DELETE FROM orders")
        #expect(try await watch.poll() == [])
        try database.insertOrders(2)
        #expect(try await watch.poll() == ["6 7"])
    }

    @Test func `H3: a row below the watermark is not sent live, and is replayed`() async throws {
        let database = try TemporaryDatabase()
        try database.execute("INSERT INTO orders (id) VALUES (10), (20)")
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(20))

        try database.execute("INSERT INTO orders (id) VALUES (15)")
        #expect(try await watch.poll() == [])
        try database.execute("INSERT INTO orders (id) VALUES (21)")
        #expect(try await watch.poll() == ["21"])
        #expect(try await client.take() == ["21"])
        #expect(watch.state == .live)

        let page = try await watch.page(through: .integer(21))
        #expect(page.frames().compactMap(\.id) == ["10", "15", "20", "21"])
    }

    @Test(arguments: [1, 2, 1000])
    func `H4: ids of zero and below are rows like others`(pageRows: Int) async throws {
        let database = try TemporaryDatabase(Self.reusing)
        let watched = WatchedTable(feed: "orders", table: "orders", pageRows: pageRows)
        let watch = await WatchedFile(database.path, watched)
        #expect(try await watch.poll() == ["generation 0 head earliest"])
        let client = watch.follow()
        let smallest = Int64.min
        try database.execute("INSERT INTO orders (id) VALUES (\(smallest)), (-7)")
        try await watch.poll()
        #expect(try await client.take() == ["\(smallest)", "-7"])
        try database.execute("INSERT INTO orders (id) VALUES (0)")
        try await watch.poll()
        try database.execute("INSERT INTO orders (id) VALUES (1)")
        try await watch.poll()
        #expect(try await client.take() == ["0", "1"])

        let restarted = await WatchedFile(database.path, watched, tailBytes: 1)
        try await restarted.poll()
        #expect(try await restarted.follow().take() == ["\(smallest)", "-7", "0", "1"])
    }

    @Test func `H5: an id raised past the newest is sent with the id it has now`() async throws {
        let database = try TemporaryDatabase(Self.reusing)
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute("UPDATE orders SET id = 9 WHERE id = 1")
        #expect(try await watch.poll() == ["9"])
    }

    @Test func `H6: an edited sequence begins a generation at the new head`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(6)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try database.execute("DELETE FROM orders WHERE id > 3; UPDATE sqlite_sequence SET seq = 3")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 3@1"])
        try database.insertOrders(2, customer: "bob")
        try await watch.poll()
        #expect(try await client.take() == ["4@1", "5@1"])
    }

    @Test(arguments: [2, 6, 20], ["bob"])
    func `H6: a table rebuilt with other rows is another table`(rows: Int, customer: String) async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(6)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try database.execute("DROP TABLE orders; \(TemporaryDatabase.orders)")
        // Other values in every column, as two tables that agree in most columns of a row count as one.
        try database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))
            INSERT INTO orders (customer, total) SELECT '\(customer)' || i, i FROM n
            """
        )
        try await watch.poll()
        let expected = (1...rows).map { "\($0)@1" }
        #expect(try await client.take() == ["reset replaced 6 -> earliest@1"] + expected)
    }

    @Test func `H6: a table rebuilt with the same rows is the same table`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(6)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute(
            """
            BEGIN;
            CREATE TABLE rebuilt (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT NOT NULL, total REAL, note TEXT);
            INSERT INTO rebuilt (id, customer, total) SELECT id, customer, total FROM orders;
            DROP TABLE orders;
            ALTER TABLE rebuilt RENAME TO orders;
            COMMIT;
            """
        )
        #expect(try await watch.poll() == [])
        try database.insertOrders(1)
        #expect(try await watch.poll() == ["7"])
        #expect(watch.state == .live)
    }
}
