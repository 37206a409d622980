// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// Every query that is run more than once per start goes through an index: `H41`.
@Suite struct QueryPlanTests {
    private static let rows = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO t (id, kind, payload) SELECT i, CASE WHEN i % 10 THEN 'a' ELSE 'b' END, '{}' FROM n;
        """

    private static func plan(_ db: Database, _ sql: String) throws -> [String] {
        var lines: [String] = []
        try PreparedQuery(db, "EXPLAIN QUERY PLAN \(sql)").run { statement in
            lines.append(String(decoding: RowEncoder.text(statement, 3), as: UTF8.self))
            return true
        }
        return lines
    }

    @Test(
        arguments: [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT, payload TEXT)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, payload TEXT)",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT, payload TEXT) WITHOUT ROWID",
            "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, kind TEXT, payload TEXT)",
            "CREATE TABLE t (kind TEXT, payload TEXT, id INTEGER NOT NULL UNIQUE)",
            "CREATE TABLE t (k TEXT PRIMARY KEY, kind TEXT, payload TEXT, id INTEGER NOT NULL UNIQUE) WITHOUT ROWID",
        ],
        [nil, "kind = 'b'", "kind <> 'a'", "kind IN ('a', 'b')", "kind = 'b' OR id = 7"]
    )
    func `H41: pages are searched for, and neither scanned nor sorted`(table: String, filter: String?) throws {
        let key = table.contains("k TEXT") ? "UPDATE t SET k = id;" : ""
        let rows =
            key.isEmpty
            ? Self.rows : Self.rows.replacing("(id,", with: "(k, id,").replacing("SELECT i,", with: "SELECT i, i,")
        for indexed in [false, true] {
            let database = try TemporaryDatabase(
                "\(table); \(rows) \(indexed ? "CREATE INDEX kinds ON t (kind); ANALYZE;" : "")"
            )
            let watched = WatchedTable(
                feed: "t",
                table: "t",
                watermark: "id",
                filter: filter,
                jsonColumns: ["payload"]
            )
            try database.connect().read { db in
                let schema = try TableInspector(watched: watched, path: database.path).inspect(db)
                let queries = TableQueries(watched, schema)
                let bounded =
                    queries.pageAfter + queries.firstPage + queries.spanAfter + queries.firstSpan + queries.newestRows
                    + [queries.rowUpTo, queries.rowAt]
                for sql in bounded {
                    let plan = try Self.plan(db, sql)
                    let bad = plan.filter { $0.contains("TEMP B-TREE") || $0.hasPrefix("SCAN main.t") }
                    #expect(bad.isEmpty && plan.contains { $0.hasPrefix("SEARCH main.t ") }, "\(plan) of \(sql)")
                }
                for sql in [queries.newest, queries.oldest] {
                    let plan = try Self.plan(db, sql)
                    #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan) of \(sql)")
                }
            }
        }
    }

    @Test(arguments: [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, changed INTEGER, payload TEXT)", "(changed)"),
        ("CREATE TABLE t (id TEXT PRIMARY KEY, changed TEXT, payload TEXT)", "(changed, id)"),
        (
            "CREATE TABLE t (a INT, id INT, changed TEXT, payload TEXT, PRIMARY KEY (a, id)) WITHOUT ROWID",
            "(changed, a, id)"
        ),
        ("CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, changed TEXT, payload)", "(changed, id COLLATE BINARY)"),
    ])
    func `H41: pages of updated rows are searched for, and neither scanned nor sorted`(
        table: String,
        index: String
    ) throws {
        let database = try TemporaryDatabase("\(table); CREATE INDEX changes ON t \(index);")
        let watched = WatchedTable(
            feed: "t",
            table: "t",
            mode: .updated,
            watermark: "changed",
            filter: "payload <> 'x'"
        )
        let connection = try database.connect()
        try connection.read { db in
            let schema = try TableInspector(watched: watched, path: database.path).inspect(db)
            let queries = TableQueries(watched, schema)
            let bounded =
                queries.pageAfter + queries.firstPage + queries.spanAfter + queries.firstSpan + queries.newestRows
                + [queries.newestUpTo, queries.nextWatermark, queries.countPast, queries.rowUpTo, queries.rowAt]
            for sql in bounded {
                let plan = try Self.plan(db, sql)
                let bad = plan.filter { $0.contains("TEMP B-TREE") || $0.hasPrefix("SCAN main.t") }
                #expect(bad.isEmpty && plan.contains { $0.hasPrefix("SEARCH main.t ") }, "\(plan) of \(sql)")
            }
            for sql in [queries.newest, queries.oldest] {
                #expect(try !Self.plan(db, sql).contains { $0.contains("TEMP B-TREE") }, "\(sql)")
            }
        }
        try connection.close()
    }
}
