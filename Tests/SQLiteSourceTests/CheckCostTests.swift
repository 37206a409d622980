// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// A check costs no more on a large table: `H41`.
@Suite struct CheckCostTests {
    private static func database(_ definition: String, rows: Int) throws -> TemporaryDatabase {
        try TemporaryDatabase(
            """
            CREATE TABLE t \(definition);
            WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < \(rows))
            INSERT INTO t (n) SELECT n FROM i;
            """
        )
    }

    /// What a check costs.
    private struct Cost {
        /// How many instructions SQLite's machine runs; a row that is visited takes several.
        var instructions: Int
        /// How many pages are asked for; a whole table is counted by one instruction, but by all of its pages.
        var pages: Int

        /// Whether it is what a search costs in a table a hundred times as large: a level of its index more.
        func isSearch(besides small: Cost) -> Bool {
            small.instructions > 0 && small.pages > 0
                && instructions < small.instructions + 100 && pages < 2 * small.pages + 100
        }
    }

    private static func cost(_ database: TemporaryDatabase, _ watched: WatchedTable) throws -> Cost {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: database.path, configuration: configuration).read { db in
            let count = UnsafeMutablePointer<Int>.allocate(capacity: 1)
            count.initialize(to: 0)
            defer { count.deallocate() }
            sqlite3_progress_handler(
                db.sqliteConnection,
                1,
                { count in
                    count?.assumingMemoryBound(to: Int.self).pointee += 1
                    return 0
                },
                count
            )
            defer { sqlite3_progress_handler(db.sqliteConnection, 0, nil, nil) }
            _ = try FeedCheck.findings(watched, database.path, db)
            let pages = [SQLITE_DBSTATUS_CACHE_HIT, SQLITE_DBSTATUS_CACHE_MISS].map { kind in
                var (current, highest): (CInt, CInt) = (0, 0)
                sqlite3_db_status(db.sqliteConnection, kind, &current, &highest, 0)
                return Int(current)
            }
            return Cost(instructions: count.pointee, pages: pages.reduce(0, +))
        }
    }

    @Test(
        arguments: [
            "(n INTEGER PRIMARY KEY AUTOINCREMENT)", "(n INTEGER NOT NULL UNIQUE)", "(n INT NOT NULL PRIMARY KEY)",
            "(n INTEGER PRIMARY KEY, x TEXT) WITHOUT ROWID",
            // Refused: no index to find a row by.
            "(n INTEGER NOT NULL)", "(n TEXT)",
        ],
        [nil, "n % 7 = 3"]
    )
    func `H41: a table a hundred times as large costs the same`(definition: String, filter: String?) throws {
        let watched = WatchedTable(feed: "t", table: "t", watermark: "n", filter: filter)
        let small = try Self.cost(Self.database(definition, rows: 3000), watched)
        let large = try Self.cost(Self.database(definition, rows: 300_000), watched)
        #expect(large.isSearch(besides: small), "\(small) and \(large)")
    }

    @Test(arguments: [true, false])
    func `H41: so does one that is followed by time, with an index and without`(isIndexed: Bool) throws {
        let definition = "(n INTEGER PRIMARY KEY, at INTEGER AS (1600000000 + n / 7) STORED)"
        let watched = WatchedTable(feed: "t", table: "t", mode: .updated, watermark: "at")
        let costs = try [3000, 300_000].map { rows in
            let database = try Self.database(definition, rows: rows)
            if isIndexed { try database.execute("CREATE INDEX t_at ON t (at)") }
            return try Self.cost(database, watched)
        }
        #expect(costs[1].isSearch(besides: costs[0]), "\(costs)")
    }
}
