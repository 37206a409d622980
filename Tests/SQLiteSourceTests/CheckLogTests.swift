// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// What a check says of a table in mode `log`: `H14`, `H16`, `H17`.
@Suite struct CheckLogTests {
    private static let watched = WatchedTable(feed: "orders", table: "orders", mode: .log)

    private static func findings(_ database: TemporaryDatabase, _ watched: WatchedTable = watched) throws -> [Finding] {
        try database.connect().read { try FeedCheck.findings(watched, database.path, $0) }
    }

    @Test func `a table without capture is refused until it is installed`() throws {
        let database = try TemporaryDatabase()
        let before = try Self.findings(database)
        #expect(before.map(\.level) == [.verified, .refused])
        #expect(
            before.last?.sentence
                == "capture isn't installed on table 'orders'; run 'rowtail capture install orders'"
        )
        _ = try CaptureInstaller(Self.watched, path: database.path).install()
        let after = try Self.findings(database)
        #expect(after.map(\.level) == [.verified, .verified, .advice], "\(after)")
        #expect(after[1].message == "installed, and the triggers fit the table")
    }

    @Test(
        arguments: [
            ("ALTER TABLE orders ADD COLUMN note", "doesn't fit its columns any more"),
            ("DROP TRIGGER rowtail_1_delete", "has lost the trigger 'rowtail_1_delete'"),
            (
                "CREATE TRIGGER later AFTER INSERT ON orders BEGIN SELECT 1; END",
                "is older than the trigger 'later', whose writes would be logged before those that it reacts to"
            ),
        ]
    )
    func `capture that doesn't fit any more is refused`(change: String, words: String) throws {
        let database = try TemporaryDatabase()
        _ = try CaptureInstaller(Self.watched, path: database.path).install()
        try database.execute(change)
        let refused = try Self.findings(database).first { $0.level == .refused }
        #expect(
            refused?.sentence == "capture on table 'orders' \(words); run 'rowtail capture install orders'",
            "\(String(describing: refused))"
        )
    }

    @Test func `writes that triggers can't see are warned of`() throws {
        let database = try TemporaryDatabase(
            TemporaryDatabase.orders + "CREATE UNIQUE INDEX big ON orders (customer) WHERE total > 9"
        )
        _ = try CaptureInstaller(Self.watched, path: database.path).install()
        let warning = try Self.findings(database).first { $0.level == .warning }
        #expect(
            warning?.sentence
                == "unique index 'big' is partial or on an expression: rows that REPLACE deletes for it are not logged; have the "
                + "writers set 'PRAGMA recursive_triggers = ON', or write no REPLACE"
        )
    }

    @Test func `a column that isn't there is warned of, as entries have no such field`() throws {
        let database = try TemporaryDatabase()
        _ = try CaptureInstaller(Self.watched, path: database.path).install()
        var watched = Self.watched
        (watched.columns, watched.jsonColumns) = (["ID", "custmer"], ["custmer"])
        let warnings = try Self.findings(database, watched).filter { $0.level == .warning }
        let words = "table 'orders' has no column 'custmer', which is left out of events; set feeds.orders."
        #expect(
            warnings.map(\.sentence)
                == ["columns", "json_columns"].map { key in
                    "\(words)\(key) to some of: id, customer, total"
                }
        )
    }

    @Test func `a table that can't be captured is refused, and one that isn't there waits`() throws {
        let database = try TemporaryDatabase("CREATE TABLE orders (x)")
        #expect(try Self.findings(database).map(\.level) == [.refused])
        let missing = WatchedTable(feed: "o", table: "none", mode: .log)
        let report = CheckReport(config: "", notices: [], checks: [FeedCheck(missing, path: database.path)])
        #expect(report.feeds.map(\.verdict) == [.waiting])
        #expect(
            report.feeds.first?.tableFindings.first?.remedy?.hasPrefix("correct feeds.o.table, or check again") == true
        )
    }
}
