// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Whether the rows of a table are found through an index (hazard H41).
struct IndexCheck {
    let table: String
    /// The columns that order the rows, and so those of the index.
    let columns: [RowOrder.Column]

    /// Asks for the plans of the queries that a poll runs, without running one.
    ///
    /// - Parameters:
    ///   - db: The database.
    ///   - pages: Queries that must search for their rows.
    ///   - ends: Queries that end after a row, and so may walk along an index.
    /// - Returns: A warning with the index to create, where one of them would scan or sort the table.
    /// - Throws: What SQLite throws.
    func finding(_ db: Database, pages: [String], ends: [String]) throws -> Finding {
        for (sql, endsEarly) in pages.map({ ($0, false) }) + ends.map({ ($0, true) }) {
            guard let step = try QueryPlan(db, sql).slowStep(endsEarly: endsEarly) else { continue }
            return Finding(
                .warning,
                "index",
                "no index serves the pages, so each takes as long as the whole table (EXPLAIN QUERY PLAN: \(step))",
                remedy: "create one and check again, as no row was looked at without it",
                sql: Self.creation(table, columns)
            )
        }
        let step = try pages.first.flatMap { try QueryPlan(db, $0).steps.first } ?? ""
        return Finding(.verified, "index", "a page is searched for (EXPLAIN QUERY PLAN: \(step))")
    }

    /// The statement that creates an index over some columns.
    ///
    /// Positions are compared byte by byte, so an index that ignores case would not serve.
    static func creation(_ table: String, _ columns: [RowOrder.Column], unique: Bool = false) -> String {
        let name = TableQueries.quoted("\(table)_\(columns.first?.name ?? "")")
        let list = columns.map { TableQueries.quoted($0.name) + ($0.isBinary ? "" : " COLLATE BINARY") }
            .joined(separator: ", ")
        return "CREATE \(unique ? "UNIQUE " : "")INDEX \(name) ON \(TableQueries.quoted(table)) (\(list));"
    }
}
