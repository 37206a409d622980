// SPDX-License-Identifier: Apache-2.0

import GRDB
import NIOCore
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// What times get wrong: `H10` to `H13`, `H22`, `H23`.
@Suite(.timeLimit(.minutes(1))) struct UpdatedHazardTests {
    private static let table = """
        CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT, changed INTEGER);
        CREATE INDEX changes ON orders (changed);
        """

    /// When the tests play, in seconds.
    private static let now: Int64 = 1_700_000_000

    private let clock = SetClock()

    private func watched(
        watermark: String = "changed",
        key: [String]? = nil,
        settle: Duration = .seconds(2),
        pageRows: Int = 1000
    ) -> WatchedTable {
        WatchedTable(
            feed: "orders",
            table: "orders",
            mode: .updated,
            watermark: watermark,
            key: key,
            settle: settle,
            pageRows: pageRows
        )
    }

    private func watch(_ database: TemporaryDatabase, _ watched: WatchedTable? = nil) async throws -> WatchedFile {
        let watch = await WatchedFile(
            database.path,
            watched ?? self.watched(),
            keeping: database,
            clock: clock.clock
        )
        try await watch.poll()
        return watch
    }

    @Test func `inserted and updated rows are sent in their latest state once they have settled`() async throws {
        let now = Self.now
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', \(now - 60)), (2, 'new', \(now - 50))")
        let watch = try await watch(database)
        #expect(watch.state == .live)
        let follower = watch.follow()
        #expect(try await follower.take() == ["\(now - 60)~1", "\(now - 50)~2"])
        try database.execute("UPDATE orders SET state = 'paid', changed = \(now) WHERE id = 1")
        #expect(try await watch.poll() == [])
        clock.seconds += 1.999
        #expect(try await watch.poll() == [])
        // Nothing was committed since: the time alone makes the row due.
        clock.seconds += 0.002
        #expect(try await watch.poll() == ["\(now)~1"])
        #expect(try await follower.take() == ["\(now)~1"])
        #expect(follower.frames.map(\.data) == [#"{"id":1,"state":"paid","changed":\#(now)}"#])
        // The table has each row once.
        #expect(
            try await watch.page(through: watch.feed.status.head).frames().map(\.words) == [
                "\(now - 50)~2", "\(now)~1",
            ]
        )
    }

    @Test func `H10: ten thousand updates within one tick lose nothing with settle`() async throws {
        let now = Self.now
        let database = try TemporaryDatabase(Self.table)
        try database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
            INSERT INTO orders SELECT i, 'new', \(now - 100) FROM n;
            """
        )
        let watch = try await watch(database, watched(pageRows: 700))
        let follower = watch.follow(after: watch.feed.status.head)
        clock.seconds += 0.1
        // From the highest key to the lowest, with polls in between: each commit is before the ones already seen.
        let writer = try database.connect()
        for first in stride(from: 9501, through: 1, by: -500) {
            try await writer.write { db in
                try db.execute(
                    sql:
                        "UPDATE orders SET state = 'paid', changed = \(now) WHERE id BETWEEN \(first) AND \(first + 499)"
                )
            }
            try await watch.poll()
        }
        #expect(try await follower.take() == [])
        clock.seconds += 2.9
        try await watch.poll()
        #expect(try await follower.take() == (1...10_000).map { "\(now)~\($0)" })
        #expect(watch.feed.status.lateRows == 0)
        try writer.close()
    }

    @Test(arguments: ["\(now - 9)", "'2023-11-14 22:13:20'", "'2023-11-14T22:13Z'", "\(now - 9)000"])
    func `H10: settling for less than a tick of the column is refused`(value: String) async throws {
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', \(value))")
        let watch = try await watch(database, watched(settle: .zero))
        let reason = try #require(watch.state.reason)
        #expect(
            reason.hasPrefix("column 'changed' of table 'orders' holds ")
                && reason.contains("would be passed by; set feeds.orders.settle to 1")
        )
    }

    @Test func `H11: rows that come too late are counted and named once`() async throws {
        let now = Self.now
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', \(now - 10)), (2, 'new', \(now - 4))")
        let watch = try await watch(database)
        try database.execute(
            "INSERT INTO orders VALUES (3, 'slow', \(now - 7)), (4, 'slow', \(now - 4)), (5, 'x', \(now - 3))"
        )
        #expect(try await watch.poll() == ["\(now - 4)~4 \(now - 3)~5"])
        #expect(watch.feed.status.lateRows == 1)
        try database.execute("UPDATE orders SET changed = \(now - 3) WHERE id = 5; DELETE FROM orders WHERE id = 4")
        try await watch.poll()
        #expect(watch.feed.status.lateRows == 1)
    }

    @Test func `H12: a time in the far future is held back, counted, and takes nothing with it`() async throws {
        let now = Self.now
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', \(now - 10)), (2, 'far', 253402300799)")
        let watch = try await watch(database)
        #expect("\(watch.feed.status.head)" == "\(now - 10)~1")
        #expect(watch.feed.status.futureRows == 1)
        try database.execute("INSERT INTO orders VALUES (3, 'soon', \(now + 4)), (4, 'now', \(now - 2))")
        #expect(try await watch.poll() == ["\(now - 2)~4"])
        #expect(watch.feed.status.futureRows == 1)
        try database.execute("UPDATE orders SET changed = \(now) WHERE id = 2")
        clock.seconds += 6
        #expect(try await watch.poll() == ["\(now)~2 \(now + 4)~3"])
        #expect(watch.feed.status.futureRows == 0)
    }

    @Test(arguments: [
        (
            "'2023-11-14T22:13:10Z'",
            "is '2023-11-14T22:13:10Z', no time that sorts with others; all others have unix seconds"
        ),
        ("NULL", "is NULL, no time"),
        ("\(now)000", "is \(now)000, no time"),
        ("x'00'", "is a BLOB of 1 bytes, no time"),
    ])
    func `H13: a row whose time doesn't fit breaks the feed and is named, until it is corrected`(
        value: String,
        message: String
    ) async throws {
        let now = Self.now
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', \(now - 10))")
        let watch = try await watch(database)
        try database.execute("INSERT INTO orders VALUES (7, 'odd', \(value)), (8, 'new', \(now - 5))")
        #expect(try await watch.poll() == [])
        let reason = try #require(watch.state.reason)
        #expect(reason.hasPrefix("table 'orders' has a row (id 7) whose 'changed' \(message)"), "\(reason)")
        try database.execute("UPDATE orders SET changed = \(now - 6) WHERE id = 7")
        #expect(try await watch.poll() == ["\(now - 6)~7 \(now - 5)~8"])
        #expect(watch.state == .live)
    }

    @Test func `H13: a NOCASE key is followed in the order of bytes`() async throws {
        let now = Self.now
        let database = try TemporaryDatabase(
            "CREATE TABLE orders (id TEXT COLLATE NOCASE PRIMARY KEY, changed INTEGER)"
        )
        try database.execute(
            "INSERT INTO orders VALUES ('a', \(now - 9)), ('B', \(now - 9)), ('c', \(now - 9)), ('D', \(now - 9))"
        )
        let watch = try await watch(database, watched(pageRows: 1))
        #expect(try await watch.follow().take() == ["B", "D", "a", "c"].map { "\(now - 9)~\($0)" })
    }

    @Test(arguments: ["", "WITHOUT ROWID"])
    func `H22: composite keys are compared as one value`(option: String) async throws {
        let now = Self.now
        let database = try TemporaryDatabase(
            "CREATE TABLE orders (region TEXT NOT NULL, id INTEGER NOT NULL, changed INTEGER, PRIMARY KEY (region, id)) \(option)"
        )
        let rows = ["eu~1", "eu~9", "us~1", "us~2", "us~9", "za~0"]
        for row in rows.reversed() {
            let parts = row.split(separator: "~")
            try database.execute("INSERT INTO orders VALUES ('\(parts[0])', \(parts[1]), \(now - 9))")
        }
        let watch = try await watch(database, watched(pageRows: 1))
        #expect(try await watch.follow().take() == rows.map { "\(now - 9)~\($0)" })
        for (index, row) in rows.enumerated() {
            let position = try #require(Position("\(now - 9)~\(row)"))
            #expect(try await watch.follow(after: position).take() == rows[(index + 1)...].map { "\(now - 9)~\($0)" })
        }
        try database.execute("UPDATE orders SET changed = \(now - 8) WHERE id = 1")
        try await watch.poll()
        #expect(
            try await watch.follow(after: Position("\(now - 9)~za~0")!).take() == [
                "\(now - 8)~eu~1", "\(now - 8)~us~1",
            ]
        )
    }

    @Test(arguments: [true, false])
    func `H23: more rows with one time than a page holds`(isListenedTo: Bool) async throws {
        let now = Self.now
        let database = try TemporaryDatabase(Self.table)
        let watch = await WatchedFile(
            database.path,
            watched(pageRows: 10),
            isListenedTo: isListenedTo,
            clock: clock.clock
        )
        try await watch.poll()
        try database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)
            INSERT INTO orders SELECT i, 'new', \(now - 5) FROM n;
            """
        )
        try await watch.poll()
        #expect(try await watch.follow().take() == (1...1234).map { "\(now - 5)~\($0)" })
    }

    @Test func `a version column needs no settling, and knows no times`() async throws {
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', 1), (2, 'new', 2)")
        #expect(
            try await watch(database).state.reason
                == "column 'changed' of table 'orders' holds no times; set feeds.orders.settle to 0s if it is a version that "
                + "grows with every write, or feeds.orders.watermark to a column with times"
        )
        let watch = try await watch(database, watched(settle: .zero))
        let follower = watch.follow()
        #expect(try await follower.take() == ["1~1", "2~2"])
        try database.execute("UPDATE orders SET changed = 3 WHERE id = 1")
        try await watch.poll()
        #expect(try await follower.take() == ["3~1"])
        #expect(watch.feed.status.futureRows == 0)
    }

    @Test func `H13: texts of UTF-16 are refused as keys, as they have another order`() async throws {
        let sql =
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE orders (id TEXT PRIMARY KEY, n INTEGER NOT NULL UNIQUE, changed INTEGER)"
        let database = try TemporaryDatabase(sql)
        try database.execute("INSERT INTO orders VALUES ('a', 1, \(Self.now - 9))")
        let watch = try await watch(database)
        #expect(
            watch.state.reason?.contains("has the encoding UTF-16le, in which the texts of 'id' have another order")
                == true
        )
        let other = try await self.watch(database, watched(key: ["n"]))
        #expect(try await other.follow().take() == ["\(Self.now - 9)~1"])
    }

    @Test func `since a time in Julian days starts with the row of that time`() async throws {
        let database = try TemporaryDatabase("CREATE TABLE orders (id INTEGER PRIMARY KEY, changed REAL)")
        for second in 0..<10 {
            try database.execute("INSERT INTO orders VALUES (\(second), julianday('2023-11-01 10:00:0\(second)'))")
        }
        let watch = try await watch(database)
        for second in 0..<10 {
            let time = try #require(UnixTime(rfc3339: "2023-11-01T10:00:0\(second)Z"))
            let found = try await watch.feed.source.position(
                before: time,
                through: watch.feed.status.head,
                on: watch.recorder.eventLoop
            ).get()
            #expect(try await watch.follow(after: found).take().first?.hasSuffix("~\(second)") == true)
        }
    }

    @Test func `a position with another number of values is refused`() async throws {
        let database = try TemporaryDatabase(Self.table)
        try database.execute("INSERT INTO orders VALUES (1, 'new', \(Self.now - 9))")
        let watch = try await watch(database)
        let odd = try #require(Position("1~1~2"))
        await #expect(throws: SourceError.self) {
            _ = try await watch.page(after: odd, through: watch.feed.status.head)
        }
        #expect(
            !watch.feed.status.mayBe(odd, in: .updated) && watch.feed.status.mayBe(watch.feed.status.head, in: .updated)
        )
    }
}
