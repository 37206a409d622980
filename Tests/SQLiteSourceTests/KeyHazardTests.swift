// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// Tables whose order can't be followed, and those that can: `H7` to `H9`.
@Suite(.timeLimit(.minutes(1))) struct KeyHazardTests {
    /// A table, and why it is refused; `nil` when it is followed.
    struct Shape: Sendable, CustomTestStringConvertible {
        var table: String
        var watermark: String?
        var refusal: String?

        init(_ table: String, watermark: String? = nil, _ refusal: String? = nil) {
            self.table = table
            self.watermark = watermark
            self.refusal = refusal
        }

        var testDescription: String { "\(table) by \(watermark ?? "its key")" }
    }

    private static let remedy =
        "so rows could be missed; use an INTEGER PRIMARY KEY, or set feeds.t.watermark to a column that is INTEGER "
        + "NOT NULL UNIQUE and only grows"

    @Test(arguments: [
        // H8
        Shape(
            "CREATE TABLE t (a)",
            "table 't' has no INTEGER PRIMARY KEY, and VACUUM renumbers bare rowids; add an 'id INTEGER PRIMARY KEY "
                + "AUTOINCREMENT', or set feeds.t.watermark to a unique integer column that only grows"
        ),
        Shape(
            "CREATE TABLE t (a)",
            watermark: "rowid",
            "table 't' has no column 'rowid'; set feeds.t.watermark to one of: a"
        ),
        // H9
        Shape(
            "CREATE TABLE t (id INT PRIMARY KEY, a)",
            "column 'id' of table 't' is not NOT NULL, though it is the primary key, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id TEXT PRIMARY KEY, a)",
            "column 'id' of table 't' is not INTEGER, not NOT NULL, though it is the primary key, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a)",
            "column 'id' of table 't' is not NOT NULL, though it is the primary key, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id PRIMARY KEY, a)",
            "column 'id' of table 't' is not INTEGER, not NOT NULL, though it is the primary key, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (a, b))",
            "table 't' has a key of several columns; add an 'id INTEGER PRIMARY KEY AUTOINCREMENT', or set "
                + "feeds.t.watermark to a unique integer column that only grows"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)",
            watermark: "n",
            "column 'n' of table 't' is not NOT NULL, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
            watermark: "n",
            "column 'n' of table 't' is not UNIQUE, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n NOT NULL UNIQUE)",
            watermark: "n",
            "column 'n' of table 't' is not INTEGER, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); CREATE UNIQUE INDEX i ON t (n) WHERE n > 5",
            watermark: "n",
            "column 'n' of table 't' is not UNIQUE, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, m, UNIQUE (n, m))",
            watermark: "n",
            "column 'n' of table 't' is not UNIQUE, \(remedy)"
        ),
        Shape(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
            watermark: "b",
            "table 't' has no column 'b'; set feeds.t.watermark to one of: id, a"
        ),
        // H44, for every mode
        Shape(
            "CREATE TABLE o (id INTEGER PRIMARY KEY); CREATE VIEW t AS SELECT id FROM o",
            "'t' is a view, which has no row order of its own; watch the table under it"
        ),
        Shape(
            "CREATE VIRTUAL TABLE t USING fts5(a)",
            "'t' is a virtual table, whose rows can't be followed; watch an ordinary table"
        ),
        // Followed.
        Shape("CREATE TABLE t (id INTEGER PRIMARY KEY, a)"),
        Shape("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)"),
        Shape("CREATE TABLE t (\"Id\" integer primary key, a)", watermark: "ID"),
        Shape("CREATE TABLE t (id INTEGER, a, PRIMARY KEY (id))"),
        Shape("CREATE TABLE t (id INTEGER PRIMARY KEY, a) WITHOUT ROWID"),
        Shape("CREATE TABLE t (id INT PRIMARY KEY, a) WITHOUT ROWID"),
        Shape("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, a)"),
        Shape("CREATE TABLE t (id INTEGER PRIMARY KEY, a ANY) STRICT"),
        Shape("CREATE TABLE t (a, id INTEGER NOT NULL UNIQUE)", watermark: "id"),
        Shape("CREATE TABLE t (a, id INTEGER NOT NULL); CREATE UNIQUE INDEX i ON t (id DESC)", watermark: "id"),
        Shape("CREATE TABLE T (id INTEGER PRIMARY KEY, a)"),
        Shape("CREATE TABLE t (id INTEGER PRIMARY KEY, \"a \"\" b\", 'c', [d e], \"select\")"),
    ])
    func `H8, H9: tables that can't be followed are refused with the remedy`(shape: Shape) async throws {
        let database = try TemporaryDatabase(shape.table)
        let watched = WatchedTable(feed: "t", table: "t", watermark: shape.watermark)
        let watch = await WatchedFile(database.path, watched)
        try await watch.poll()
        #expect(watch.state == shape.refusal.map(FeedState.broken) ?? .live)
        guard shape.refusal == nil else { return }
        let client = watch.follow()
        try database.execute("INSERT INTO t (id) VALUES (3), (1); INSERT INTO t (id) VALUES (9)")
        try await watch.poll()
        #expect(try await client.take() == ["1", "3", "9"])
        let restarted = await WatchedFile(database.path, watched, tailBytes: 1)
        try await restarted.poll()
        #expect(try await restarted.follow().take() == ["1", "3", "9"])
    }

    @Test func `H7: the greatest id in use is followed, and the feed is broken as nothing can come after it`()
        async throws
    {
        let database = try TemporaryDatabase(RowIDHazardTests.reusing)
        try database.execute("INSERT INTO orders (id) VALUES (1), (9223372036854775807)")
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let problem =
            "the greatest id is in use; rows added from now on get lower ids and are not seen; renumber the rows"
        #expect(watch.state == .broken(problem))
        #expect(try await watch.follow().take() == ["1", "9223372036854775807"])
        try database.execute("INSERT INTO orders (customer) VALUES ('random id')")
        #expect(try await watch.poll() == [])
        #expect(watch.state == .broken(problem))

        try database.execute("DELETE FROM orders WHERE id > 1; INSERT INTO orders DEFAULT VALUES")
        try await watch.poll()
        #expect(watch.state == .live)
    }

    @Test(arguments: [
        ("'ten'", "ten"), ("'10x'", "10x"), ("x'3130'", "10"), ("10.5", "10.5"), ("'line\nbreak'", "line\nbreak"),
    ])
    func `H9: a row of another storage class is an error that names it`(value: String, name: String) async throws {
        let database = try TemporaryDatabase("CREATE TABLE t (n INTEGER NOT NULL UNIQUE)")
        try database.execute("INSERT INTO t VALUES (1), (2)")
        let watch = await WatchedFile(database.path, WatchedTable(feed: "t", table: "t", watermark: "n"))
        try await watch.poll()
        let client = watch.follow(after: .integer(2))
        try database.execute("INSERT INTO t VALUES (\(value)), (3)")
        try await watch.poll()
        let problem = "table 't' has a row whose 'n' is '\(name)', no INTEGER; correct or delete that row"
        #expect(watch.state == .broken(problem))
        #expect(watch.feed.status.head == .integer(2))

        try database.execute("DELETE FROM t WHERE typeof(n) <> 'integer'")
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["3"])
    }

    @Test func `a text that is a number is an integer to a column that holds integers`() async throws {
        let database = try TemporaryDatabase("CREATE TABLE t (n INTEGER NOT NULL UNIQUE)")
        try database.execute("INSERT INTO t VALUES ('9'), ('10'), (10.0 + 1)")
        let watch = await WatchedFile(database.path, WatchedTable(feed: "t", table: "t", watermark: "n"))
        try await watch.poll()
        #expect(try await watch.follow().take() == ["9", "10", "11"])
    }

    @Test(arguments: [
        "CREATE TABLE orders (id INTEGER PRIMARY KEY /* no AUTOINCREMENT */, customer TEXT, total REAL)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT DEFAULT 'autoincrement', total REAL)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL, autoincrement_step INTEGER)",
    ])
    func `a table is not AUTOINCREMENT because its text says the word`(table: String) async throws {
        let database = try TemporaryDatabase(table)
        try database.insertOrders(2)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        #expect(watch.state == .live)
        try database.execute("DELETE FROM orders WHERE id = 2")
        try await watch.poll()
        #expect(watch.feed.status.history.current == 1)
    }
}
