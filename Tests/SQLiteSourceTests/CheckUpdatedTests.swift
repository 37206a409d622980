// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// What a check says of a table in mode `updated`: `H10` to `H13`, `H41`.
@Suite struct CheckUpdatedTests {
    /// 2023-11-14 22:13:20.
    private static let now = 1_700_000_000
    private static let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, at NOT NULL); CREATE INDEX t_at ON t (at);"

    private static func findings(
        _ sql: String,
        key: [String]? = nil,
        settle: Duration = .seconds(2)
    ) throws -> [Finding] {
        let database = try TemporaryDatabase(sql)
        let watched = WatchedTable(feed: "t", table: "t", mode: .updated, watermark: "at", key: key, settle: settle)
        return try database.connect().read { db in
            try FeedCheck.findings(watched, database.path, db, clock: SetClock(seconds: Double(now)).clock)
        }
    }

    /// Rows with values of an expression over `n`, 1 to `rows`.
    private static func insert(_ expression: String, rows: Int = 1000) -> String {
        """
        WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < \(rows))
        INSERT INTO t (id, at) SELECT n, \(expression) FROM i;
        """
    }

    @Test(
        arguments: [
            ("\(now) - n", "unix seconds, to the second"),
            ("(\(now) - n) * 1000 + n % 1000", "unix milliseconds, to the millisecond"),
            ("(\(now) - n) * 1000000 + n", "unix microseconds, to the microsecond"),
            ("\(now) - n / 7.0", "unix seconds with a fraction, to the microsecond"),
            ("datetime(\(now) - n, 'unixepoch')", "ISO 8601 text like '2026-01-01 00:00:00', to the second"),
            (
                "strftime('%Y-%m-%dT%H:%M:%fZ', \(now) - n / 7.0, 'unixepoch')",
                "ISO 8601 text like '2026-01-01T00:00:00.000Z', to the millisecond"
            ),
        ]
    )
    func `the format of the times is told, with what it resolves`(expression: String, words: String) throws {
        let findings = try Self.findings(Self.table + Self.insert(expression))
        #expect(findings.allSatisfy { $0.level < .warning }, "\(findings)")
        let time = findings.first { $0.topic == "time" }
        #expect(time?.level == .verified)
        #expect(time?.message == "'at' holds \(words), by the newest and oldest 100 rows and as many between")
        let settle =
            "rows are sent 2s after their time; one whose transaction ends later than that is passed by, and counted "
        #expect(findings.first { $0.topic == "settle" }?.message.hasPrefix(settle) == true)
    }

    @Test func `versions need no delay, and have none`() throws {
        let version = try Self.findings(Self.table + Self.insert("n"), settle: .zero)
        #expect(
            version.first { $0.topic == "time" }?.message
                == "'at' holds no times and is taken for a version that grows with every write, by the newest and oldest 100 "
                + "rows and as many between"
        )
        let refused = try Self.findings(Self.table + Self.insert("n")).first { $0.level == .refused }
        #expect(
            refused?.sentence.hasPrefix("column 'at' of table 't' holds no times; set feeds.t.settle to 0s") == true
        )
    }

    @Test(
        arguments: [
            ("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER NOT NULL);", nil, #"("at", "id")"#),
            ("CREATE TABLE t (a, b, at INTEGER NOT NULL, PRIMARY KEY (a, b));", nil, #"("at", "a", "b")"#),
            (
                "CREATE TABLE t (a TEXT NOT NULL UNIQUE COLLATE NOCASE, at TEXT NOT NULL);", ["A"],
                #"("at", "a" COLLATE BINARY)"#
            ),
            (
                "CREATE TABLE t (a UNIQUE, at NOT NULL COLLATE NOCASE); CREATE INDEX x ON t (at, a);", ["a"],
                #"("at" COLLATE BINARY, "a")"#
            ),
            ("CREATE TABLE t (a UNIQUE, at); CREATE INDEX x ON t (a, at);", ["a"], #"("at", "a")"#),
        ] as [(String, [String]?, String)]
    )
    func `H41: a missing index is told, and the one to create serves every query`(
        schema: String,
        key: [String]?,
        columns: String
    ) throws {
        let missing = try Self.findings(schema, key: key)
        let index = try #require(missing.first { $0.topic == "index" })
        #expect(index.level == .warning && index.message.contains("(EXPLAIN QUERY PLAN: "), "\(missing)")
        #expect(index.sql == #"CREATE INDEX "t_at" ON "t" \#(columns);"#)
        // Nothing is read without it.
        #expect(!missing.contains { $0.topic == "time" })
        let mended = try Self.findings(schema + (index.sql ?? ""), key: key)
        #expect(mended.first { $0.topic == "index" }?.level == .verified, "\(mended)")
    }

    @Test(
        arguments: [
            // Most rows tell the format; the odd one is named.
            ("\(now) - n", "UPDATE t SET at = '2023-01-01' WHERE id = 500", "(id 500) whose 'at' is '2023-01-01'"),
            ("\(now) - n", "UPDATE t SET at = at * 1000 WHERE id = 500", "(id 500) whose 'at' is 1699999500000"),
            ("\(now) - n", "UPDATE t SET at = x'00' WHERE id = 500", "(id 500) whose 'at' is a BLOB of 1 bytes"),
            // A date among times, far from both ends of the index.
            (
                "datetime(\(now) - n * 3600, 'unixepoch')", "UPDATE t SET at = date(at) WHERE id BETWEEN 400 AND 600",
                "whose 'at' is '2023-10-"
            ),
        ]
    )
    func `H13: a row that doesn't sort with the others is refused`(
        expression: String,
        change: String,
        words: String
    ) throws {
        let findings = try Self.findings(Self.table + Self.insert(expression) + change)
        #expect(
            findings.contains { $0.level == .refused && $0.topic == "time" && $0.message.contains(words) },
            "\(findings)"
        )
    }

    @Test func `H13: columns that may be NULL are warned of, and a NULL is refused`() throws {
        let table = "CREATE TABLE t (a TEXT UNIQUE, at INTEGER); CREATE INDEX t_at ON t (at, a);"
        let warned = try Self.findings(table, key: ["a"])
        #expect(
            warned.first { $0.topic == "null" }?.sentence
                == "'at', 'a' may be NULL: a row with one breaks the feed until it is corrected; declare them NOT NULL when "
                + "the table is next rebuilt"
        )
        for row in ["('x', NULL)", "(NULL, \(Self.now - 9))"] {
            let refused = try Self.findings("\(table) INSERT INTO t VALUES ('y', \(Self.now - 60)), \(row)", key: ["a"])
            #expect(refused.last?.level == .refused && refused.last?.message.contains("NULL") == true, "\(refused)")
        }
        #expect(try !Self.findings(Self.table).contains { $0.topic == "null" })
    }

    @Test func `H12: rows ahead of now are warned of, and local time is suspected where it may be`() throws {
        let local = try Self.findings(
            Self.table + Self.insert("datetime(\(Self.now) - n + 7200, 'unixepoch')", rows: 50)
        )
        let warning = try #require(local.first { $0.level == .warning })
        #expect(
            warning.sentence
                == "held back until their time comes: 50 rows, of which the newest has '2023-11-15 00:13:19', 119 minutes "
                + "ahead, as local time would be where UTC is expected; write UTC, as "
                + "SQLite's datetime('now') does, or add the offset to the text"
        )
        for (ahead, distance) in [(7200, "119 minutes"), (61, "60 seconds")] {
            let numbers = try Self.findings(Self.table + Self.insert("\(Self.now) - n + \(ahead)", rows: 1))
            #expect(
                numbers.first { $0.level == .warning }?.sentence
                    == "held back until their time comes: 1 row, of which the newest has \(Self.now + ahead - 1), "
                    + "\(distance) ahead; correct them, or the clock of the machine that writes them"
            )
        }
    }

    @Test func `H10: a delay shorter than the resolution is refused as the daemon refuses it`() throws {
        let sql = Self.table + Self.insert("\(Self.now) - n")
        let refused = try Self.findings(sql, settle: .milliseconds(500)).first { $0.level == .refused }
        #expect(
            refused?.sentence
                == "column 'at' of table 't' holds unix seconds: a row written in the same second as one that was sent would be "
                + "passed by; set feeds.t.settle to 1s or more (2s is the default), or use a version column"
        )
    }

    @Test func `who sets the time on an update is told`() throws {
        let without = try Self.findings(Self.table + Self.insert("\(Self.now) - n", rows: 1))
        #expect(
            without.first { $0.topic == "writes" }?.message
                == "no trigger sets 'at': every UPDATE of the application has to, or its change is not sent"
        )
        let trigger = """
            CREATE TRIGGER touch AFTER UPDATE ON t BEGIN UPDATE t SET at = unixepoch() WHERE id = new.id; END;
            """
        let with = try Self.findings(Self.table + Self.insert("\(Self.now) - n", rows: 1) + trigger)
        #expect(with.first { $0.topic == "writes" }?.message == "trigger 'touch' sets 'at' when a row changes")
    }

    @Test func `a key that nothing makes unique is refused, with the index that would`() throws {
        let findings = try Self.findings("CREATE TABLE t (a TEXT, at INTEGER)", key: ["a"])
        #expect(findings.map(\.level) == [.refused])
        #expect(findings.first?.message.hasPrefix("nothing makes 'a' unique in table 't'") == true)
        #expect(findings.first?.sql == #"CREATE UNIQUE INDEX "t_a" ON "t" ("a");"#)
    }
}
