// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// Whether the ids of a table followed in mode `append` only grow, and each is read through an index.
struct AppendCheck {
    /// How many rows are looked at at each end, and how many between.
    static let sampleSize = 100

    /// What is wrong where no id can follow, to a check and while the table is served.
    static let exhausted = (
        problem: "the greatest id is in use; rows added from now on get lower ids and are not seen",
        remedy: "renumber the rows"
    )

    let watched: WatchedTable
    let schema: TableSchema
    let facts: TableFacts

    /// Looks at the schema, the plans of the queries, and some rows.
    ///
    /// - Returns: What was found.
    func findings(_ db: Database) throws -> [Finding] {
        let queries = TableQueries(watched, schema)
        var findings = [watermark, reuse]
        let index = try IndexCheck(table: schema.table, columns: schema.order.columns).finding(
            db,
            pages: queries.pageAfter + queries.firstPage,
            ends: [queries.newest, queries.oldest]
        )
        findings.append(index)
        // Without an index, one row would cost as much as the table.
        guard index.level == .verified else { return findings }
        findings += try samples(db, queries)
        guard let newest = try integer(db, queries.newest) else { return findings }
        if newest == .max {
            findings.append(
                Finding(
                    .refused,
                    "ids",
                    Self.exhausted.problem,
                    remedy: Self.exhausted.remedy
                )
            )
        }
        guard schema.isAutoincrement, let sequence = try integer(db, queries.sequence) else { return findings }
        // Past the newest row it may well be: also inserts that were ignored take an id.
        if sequence < newest { findings.append(behind(sequence, newest)) }
        return findings
    }

    /// The only value of a query; `nil` when it is no INTEGER.
    private func integer(_ db: Database, _ sql: String) throws -> Int64? {
        guard case .int64(let value)? = try DatabaseValue.fetchOne(db, sql: sql)?.storage else { return nil }
        return value
    }

    // MARK: - The schema

    private var watermark: Finding {
        Finding(
            .verified,
            "watermark",
            schema.isRowID
                ? "'\(schema.watermark)' is the INTEGER PRIMARY KEY: unique, never NULL, nothing but integers"
                : "'\(schema.watermark)' is INTEGER NOT NULL UNIQUE"
        )
    }

    /// Whether an id can come twice, or out of order (hazards H1 and H3).
    private var reuse: Finding {
        if schema.isAutoincrement {
            return Finding(.verified, "ids", "AUTOINCREMENT: SQLite gives no id out twice")
        }
        if schema.isRowID {
            return Finding(
                .warning,
                "ids",
                "'\(schema.watermark)' has no AUTOINCREMENT: SQLite gives the id of a deleted newest row out again, and where "
                    + "both happen between two polls, the new row is not sent",
                remedy:
                    "declare it '\(schema.watermark) INTEGER PRIMARY KEY AUTOINCREMENT' when the table is next rebuilt, or "
                    + "never delete the newest row"
            )
        }
        return Finding(
            .warning,
            "ids",
            "the application gives '\(schema.watermark)' out: a row that gets a lower value than one committed before is not "
                + "sent",
            remedy: "see that it only grows, or use an INTEGER PRIMARY KEY AUTOINCREMENT"
        )
    }

    private func behind(_ sequence: Int64, _ newest: Int64) -> Finding {
        Finding(
            .warning,
            "ids",
            "sqlite_sequence says \(sequence), and the newest row is \(newest): the rows past \(sequence) are not sent",
            remedy: "set it to the newest row's id",
            sql: "UPDATE sqlite_sequence SET seq = \(newest) WHERE name = \(TableQueries.literal(schema.table));"
        )
    }

    // MARK: - Its rows

    /// Looks for values that are no integers where the column could hold some (hazard H9).
    ///
    /// In the order of an index NULL comes first, TEXT and BLOB last, so that both ends show whether there is one at all;
    /// a REAL can stand anywhere between.
    private func samples(_ db: Database, _ queries: TableQueries) throws -> [Finding] {
        guard !schema.isRowID else { return [] }
        let table = "main.\(TableQueries.quoted(schema.table))"
        let mark = "\(table).\(TableQueries.quoted(schema.watermark))"
        let value = "SELECT typeof(\(mark)), substr(CAST(\(mark) AS TEXT), 1, 64) FROM \(table)"
        // From the newest on, which is the one that the daemon meets first.
        var rows = try Row.fetchAll(db, sql: "\(value) ORDER BY \(mark) DESC LIMIT \(Self.sampleSize)")
        let isAll = rows.count < Self.sampleSize
        if !isAll {
            rows += try Row.fetchAll(db, sql: "\(value) ORDER BY \(mark) LIMIT \(Self.sampleSize)")
            rows += try between(db, queries, "\(value) WHERE \(mark) >= ? ORDER BY \(mark) LIMIT 1")
        }
        guard !rows.isEmpty else { return [] }
        guard let bad = rows.first(where: { $0[0] != "integer" }) else {
            let place = isAll ? "all \(rows.count) rows" : "\(rows.count) rows at both ends and between"
            return [Finding(.verified, "values", "typeof is integer for \(place)")]
        }
        return [
            Finding(
                .refused,
                "values",
                "table '\(watched.table)' has a row whose '\(schema.watermark)' is '\(bad[1] as String? ?? "")', no INTEGER",
                remedy: "correct or delete that row",
                sql: "SELECT * FROM \(TableQueries.quoted(schema.table)) WHERE typeof("
                    + "\(TableQueries.quoted(schema.watermark))) <> 'integer';"
            )
        ]
    }

    /// Rows at equal distances from the oldest to the newest, found by a query that takes the least value.
    private func between(_ db: Database, _ queries: TableQueries, _ sql: String) throws -> [Row] {
        guard let low = try integer(db, queries.oldest), let high = try integer(db, queries.newest) else { return [] }
        let step = UInt64(bitPattern: high &- low) / UInt64(Self.sampleSize + 1)
        guard step > 0 else { return [] }
        return try (1...UInt64(Self.sampleSize)).compactMap { part in
            try Row.fetchOne(db, sql: sql, arguments: [low &+ Int64(bitPattern: step &* part)])
        }
    }
}
