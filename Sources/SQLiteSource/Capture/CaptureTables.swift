// SPDX-License-Identifier: Apache-2.0

/// The tables that capturing adds to a database, one set for all captured tables.
///
/// Nothing in them can be refused: no column is NOT NULL, and only rowids that SQLite gives out are unique. A conflict clause
/// of the statement that fires a trigger holds for what the trigger writes as well.
enum CaptureTables {
    /// A table's name, and the text that creates it as the schema keeps it.
    struct Definition: Sendable {
        /// The name.
        let name: String
        /// The columns.
        let columns: String

        /// What creates it.
        var sql: String { "CREATE TABLE \(name) (\(columns))" }
    }

    /// What happened, in order.
    ///
    /// AUTOINCREMENT keeps a number from being given out twice when all entries were pruned.
    static let log = Definition(
        name: "rowtail_log",
        columns: "seq INTEGER PRIMARY KEY AUTOINCREMENT, capture INTEGER, op TEXT, at TEXT, before TEXT, after TEXT"
    )

    /// A row for each time that triggers were put on a table: its columns and key then.
    static let capture = Definition(
        name: "rowtail_capture",
        columns: "id INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT, key TEXT, columns TEXT, gap INTEGER, pruned INTEGER"
    )

    /// Rows that the statement under way may replace, which fires no trigger of theirs.
    ///
    /// What tells them apart is kept as it is, in columns without a type, so that it can be looked up.
    static let staged = Definition(
        name: "rowtail_staged",
        columns: "capture INTEGER, before TEXT, "
            + (1...CapturedTable.mostIdentityColumns).map { "k\($0)" }.joined(separator: ", ")
    )

    /// All of them.
    static let all = [log, capture, staged]
}
