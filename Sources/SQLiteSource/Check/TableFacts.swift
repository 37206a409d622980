// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What the schema says of a table, whether or not it can be followed.
struct TableFacts {
    struct Column {
        var name: String
        var type: String
        var isNotNull: Bool
        var keyRank: Int
    }

    struct Index {
        var name: String
        var isUnique: Bool
        var columns: [String]
    }

    struct Trigger {
        var name: String
        var table: String
        var text: String
    }

    /// The table's name as the schema spells it.
    let table: String
    /// The text that created it.
    let text: String
    let columns: [Column]
    /// Whether the primary key has an index of its own, as it is not the rowid.
    let hasKeyIndex: Bool
    /// The indexes over columns alone, and over the whole table.
    let indexes: [Index]
    /// All triggers of the database, as those of other tables may write this one; but for those of capturing, which are long
    /// and write nothing but its own tables.
    let triggers: [Trigger]

    /// Looks a table up.
    ///
    /// - Returns: `nil` when there is no such ordinary table.
    init?(_ db: Database, _ name: String) throws {
        let entry = try Row.fetchOne(
            db,
            sql: "SELECT name, sql FROM main.sqlite_master WHERE name = ? COLLATE NOCASE AND type = 'table'",
            arguments: [name]
        )
        guard let entry, let text = entry["sql"] as String? else { return nil }
        guard !text.uppercased().hasPrefix("CREATE VIRTUAL TABLE") else { return nil }
        let table: String = entry["name"]
        self.table = table
        self.text = text
        columns = try Row.fetchAll(
            db,
            sql: "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            arguments: [table]
        ).map { row in
            Column(
                name: row["name"],
                type: row["type"] ?? "",
                isNotNull: row["notnull"] ?? false,
                keyRank: row["pk"] ?? 0
            )
        }
        hasKeyIndex =
            try Bool.fetchOne(
                db,
                sql: "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?) WHERE origin = 'pk')",
                arguments: [table]
            ) ?? false
        indexes = try Row.fetchAll(
            db,
            sql: "SELECT name, \"unique\" AS isUnique FROM pragma_index_list(?) WHERE NOT partial ORDER BY seq DESC",
            arguments: [table]
        ).compactMap { row in
            let name: String = row["name"]
            let columns = try Row.fetchAll(
                db,
                sql: "SELECT name FROM pragma_index_info(?) ORDER BY seqno",
                arguments: [name]
            ).map { $0["name"] as String? }
            // An expression has no name.
            guard columns.allSatisfy({ $0 != nil }) else { return nil }
            return Index(name: name, isUnique: row["isUnique"], columns: columns.compactMap(\.self))
        }
        triggers = try CaptureTrigger.all(db).filter { !$0.isOurs }.map {
            Trigger(name: $0.name, table: $0.table, text: $0.sql)
        }.sorted { $0.name < $1.name }
    }

    /// The columns of the primary key in its order.
    var key: [String] {
        columns.filter { $0.keyRank > 0 }.sorted { $0.keyRank < $1.keyRank }.map(\.name)
    }

    /// Whether the primary key is the rowid, which is never NULL whatever the schema says.
    var hasRowIDKey: Bool {
        let key = columns.filter { $0.keyRank > 0 }
        return key.count == 1 && key[0].type.uppercased() == "INTEGER" && !hasKeyIndex
    }

    /// Whether some index begins with a column.
    func isIndexed(_ column: String) -> Bool {
        indexes.contains { $0.columns.first.map { TableInspector.equal($0, column) } ?? false }
    }
}
