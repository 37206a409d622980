// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import RowtailCore

/// What the schema says of a watched table, checked for what following it needs.
struct TableSchema: Sendable {
    /// The table's name as the schema spells it.
    var table: String
    /// The text that created the table.
    var text: String
    /// The names of all columns that can be read, in order, generated ones included.
    var columns: [String]
    /// The column whose value is the position.
    var watermark: String
    /// Whether the positions are never given out twice, so that `sqlite_sequence` is the head.
    var isAutoincrement: Bool
    /// Whether the watermark is the rowid itself, which holds nothing but integers.
    var isRowID: Bool
    /// The columns that order the rows.
    var order: RowOrder
}

/// Reads a table's schema and refuses tables that can't be followed, with the remedy.
///
/// Sources: SQLite, "Rowid Tables", "AUTOINCREMENT", "Datatypes In SQLite" (section 3.1, column affinity).
struct TableInspector {
    /// What the schema says of a column.
    struct ColumnInfo {
        var name: String
        var type: String
        var isNotNull: Bool
        var keyRank: Int
    }

    let watched: WatchedTable
    let path: String

    /// Looks the table up and checks it.
    ///
    /// - Throws: ``SourceError``: `waiting` when there is no such table, `broken` when it can't be followed.
    func inspect(_ db: Database) throws -> TableSchema {
        let name = watched.table
        guard
            let entry = try Row.fetchOne(
                db,
                sql:
                    "SELECT name, type, sql FROM main.sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
                arguments: [name]
            )
        else {
            throw SourceError(.waiting, "database '\(path)' has no table '\(name)' yet; it is waited for")
        }
        let table: String = entry["name"]
        let text: String = entry["sql"] ?? ""
        if entry["type"] == "view" {
            throw refusal("'\(table)' is a view, which has no row order of its own; watch the table under it")
        }
        if text.uppercased().hasPrefix("CREATE VIRTUAL TABLE") {
            throw refusal("'\(table)' is a virtual table, whose rows can't be followed; watch an ordinary table")
        }
        let columns = try columns(db, table)
        try requireKnown(columns)
        var schema = TableSchema(
            table: table,
            text: text,
            columns: columns.map(\.name),
            watermark: "",
            isAutoincrement: false,
            isRowID: false,
            order: RowOrder(columns: [])
        )
        switch watched.mode {
        case .append, .log:
            (schema.watermark, schema.isRowID) = try watermark(db, table, columns)
            schema.isAutoincrement = schema.isRowID && isAutoincrement(db, table, schema.watermark)
            schema.order.columns = [RowOrder.Column(name: schema.watermark, isBinary: true)]
        case .updated:
            let names = try updatedOrder(db, table, columns)
            schema.watermark = names[0]
            schema.order.columns = names.map { RowOrder.Column(name: $0, isBinary: isBinary(db, table, $0)) }
        }
        return schema
    }

    /// Whether a column's own collation is that of positions.
    private func isBinary(_ db: Database, _ table: String, _ column: String) -> Bool {
        metadata(db, table, column)?.collation.map { Self.equal($0, "BINARY") } ?? true
    }

    /// Whether SQLite never gives a column's values out twice; the word in the table's text could also be a comment.
    private func isAutoincrement(_ db: Database, _ table: String, _ column: String) -> Bool {
        metadata(db, table, column)?.isAutoincrement ?? false
    }

    private func metadata(
        _ db: Database,
        _ table: String,
        _ column: String
    ) -> (collation: String?, isAutoincrement: Bool)? {
        var collation: UnsafePointer<CChar>?
        var isAutoincrement: CInt = 0
        let result = sqlite3_table_column_metadata(
            db.sqliteConnection,
            "main",
            table,
            column,
            nil,
            &collation,
            nil,
            nil,
            &isAutoincrement
        )
        guard result == SQLITE_OK else { return nil }
        return (collation.map { String(cString: $0) }, isAutoincrement != 0)
    }

    func refusal(_ message: String) -> SourceError {
        SourceError(.broken, message)
    }

    private func columns(_ db: Database, _ table: String) throws -> [ColumnInfo] {
        // Hidden 1 marks columns of virtual tables only; 2 and 3 are generated columns, which table_info leaves out.
        try Row.fetchAll(
            db,
            sql: "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            arguments: [table]
        ).map { row in
            ColumnInfo(
                name: row["name"],
                type: row["type"] ?? "",
                isNotNull: row["notnull"] ?? false,
                keyRank: row["pk"] ?? 0
            )
        }
    }

    private func requireKnown(_ columns: [ColumnInfo]) throws {
        let known = columns.map(\.name)
        let listed = [("columns", watched.columns ?? []), ("json_columns", watched.jsonColumns)]
        for (key, names) in listed {
            for name in names where !known.contains(where: { Self.equal($0, name) }) {
                throw refusal(
                    "table '\(watched.table)' has no column '\(name)'; set feeds.\(watched.feed).\(key) to some of: "
                        + known.joined(separator: ", ")
                )
            }
        }
    }

    private func watermark(_ db: Database, _ table: String, _ columns: [ColumnInfo]) throws -> (String, isRowID: Bool) {
        let key = columns.filter { $0.keyRank > 0 }
        // The rowid's own name is INTEGER PRIMARY KEY and nothing else: `INT`, or `DESC`, makes an ordinary column with
        // an index, and so does WITHOUT ROWID.
        let hasKeyIndex =
            try Bool.fetchOne(
                db,
                sql: "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk')",
                arguments: [table]
            ) ?? false
        let isRowIDKey = key.count == 1 && key[0].type.uppercased() == "INTEGER" && !hasKeyIndex
        guard let name = watched.watermark else {
            guard isRowIDKey else {
                guard key.count == 1 else { throw noKey(table, key.count, columns) }
                try requireFollowable(db, table, key[0])
                return (key[0].name, false)
            }
            return (key[0].name, true)
        }
        guard let column = columns.first(where: { Self.equal($0.name, name) }) else {
            throw refusal(
                "table '\(table)' has no column '\(name)'; set feeds.\(watched.feed).watermark to one of: "
                    + columns.map(\.name).joined(separator: ", ")
            )
        }
        if isRowIDKey, column.keyRank > 0 { return (column.name, true) }
        try requireFollowable(db, table, column)
        return (column.name, false)
    }

    private func noKey(_ table: String, _ count: Int, _ columns: [ColumnInfo]) -> SourceError {
        let problem =
            count == 0
            ? "has no INTEGER PRIMARY KEY, and VACUUM renumbers bare rowids" : "has a key of several columns"
        return refusal(
            "table '\(table)' \(problem); add an 'id INTEGER PRIMARY KEY AUTOINCREMENT', or set "
                + "feeds.\(watched.feed).watermark to a unique integer column that only grows"
        )
    }

    /// A column other than the rowid must hold each integer once, and nothing else, or rows would be missed.
    private func requireFollowable(_ db: Database, _ table: String, _ column: ColumnInfo) throws {
        let isKey = column.keyRank > 0
        var missing: [String] = []
        if !column.type.uppercased().contains("INT") { missing.append("INTEGER") }
        if !column.isNotNull { missing.append("NOT NULL") }
        let isUnique =
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (
                        SELECT 1 FROM pragma_index_list(?) AS l WHERE l."unique" AND NOT l.partial
                        AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1
                        AND (SELECT name FROM pragma_index_info(l.name)) = ? COLLATE NOCASE)
                    """,
                arguments: [table, column.name]
            ) ?? false
        if !isUnique { missing.append("UNIQUE") }
        guard missing.isEmpty else {
            throw refusal(
                "column '\(column.name)' of table '\(table)' is not \(missing.joined(separator: ", not "))"
                    + (isKey ? ", though it is the primary key" : "")
                    + ", so rows could be missed; use an INTEGER PRIMARY KEY, or set feeds.\(watched.feed).watermark to "
                    + "a column that is INTEGER NOT NULL UNIQUE and only grows"
            )
        }
    }

    /// Whether two names are one column to SQLite, which folds ASCII letters only.
    static func equal(_ one: String, _ other: String) -> Bool {
        one.utf8.elementsEqual(other.utf8) { left, right in
            func lower(_ byte: UInt8) -> UInt8 {
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            }
            return lower(left) == lower(right)
        }
    }
}
