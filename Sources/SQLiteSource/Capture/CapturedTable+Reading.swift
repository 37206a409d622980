// SPDX-License-Identifier: Apache-2.0

import GRDB

extension CapturedTable {
    /// The most columns that the primary key of a table without rowids may have: those of ``CaptureTables/staged``.
    static let mostIdentityColumns = 8

    /// Reads a table's schema and refuses tables that can't be captured, with the remedy.
    ///
    /// - Throws: ``SourceError``: `waiting` when there is no such table, `broken` when it can't be captured.
    init(_ db: Database, _ watched: WatchedTable, path: String) throws {
        guard
            let entry = try Row.fetchOne(
                db,
                sql: """
                    SELECT name, type, sql FROM main.sqlite_master
                    WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')
                    """,
                arguments: [watched.table]
            )
        else {
            throw SourceError(.waiting, "database '\(path)' has no table '\(watched.table)' yet; it is waited for")
        }
        let name: String = entry["name"]
        self.name = name
        if entry["type"] as String == "view" {
            throw Self.refusal("'\(name)' is a view, which is never written to; capture the table under it")
        }
        let text: String = entry["sql"] ?? ""
        if text.uppercased().hasPrefix("CREATE VIRTUAL TABLE") {
            throw Self.refusal("'\(name)' is a virtual table, which can't have triggers; capture an ordinary table")
        }
        if name.lowercased().hasPrefix("sqlite_") || CaptureTables.all.contains(where: { $0.name == name.lowercased() })
        {
            throw Self.refusal("'\(name)' is a table of SQLite's or rowtail's own; capture a table of the application")
        }
        // Hidden 1 marks columns of virtual tables only; 2 and 3 are generated columns, which table_info leaves out.
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT name, type, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            arguments: [name]
        )
        var columns = rows.map { row in
            Column(
                name: row["name"],
                content: Self.content(ofType: row["type"] ?? ""),
                isGenerated: row["hidden"] as Int > 1
            )
        }
        let ranks = rows.map { row in (rank: row["pk"] as Int, name: row["name"] as String) }
        let primaryKey = ranks.filter { $0.rank > 0 }.sorted { $0.rank < $1.rank }.map(\.name)
        let indexes = try UniqueIndex.all(db, name)
        let keyIndex = indexes.first { $0.isPrimaryKey }
        let identity: [Term]
        if let keyIndex, keyIndex.isTable, let terms = keyIndex.terms {
            guard terms.count <= Self.mostIdentityColumns else {
                throw Self.refusal(
                    "table '\(name)' is WITHOUT ROWID and has a primary key of \(terms.count) columns; only "
                        + "\(Self.mostIdentityColumns) can be captured; leave WITHOUT ROWID away"
                )
            }
            identity = terms
        } else if keyIndex == nil, primaryKey.count == 1,
            let index = columns.firstIndex(where: { $0.name == primaryKey[0] })
        {
            columns[index].content = .integers
            identity = [Term(column: primaryKey[0])]
        } else {
            identity = [Term(column: try Self.rowIDName(name, besides: columns))]
        }
        self.columns = columns
        self.identity = identity
        key = []
        uniques = [identity] + indexes.filter { !$0.isTable }.compactMap(\.terms)
        opaqueIndexes = indexes.compactMap { index in
            guard let terms = index.terms else { return (index.name, "is partial or on an expression") }
            return isKnownBeforeUpdate(terms) ? nil : (index.name, "is on a generated column")
        }
        key = try chosenKey(watched, primaryKey)
    }

    /// A name of the rowid that no column took.
    private static func rowIDName(_ table: String, besides columns: [Column]) throws -> String {
        for name in ["rowid", "_rowid_", "oid"] where !columns.contains(where: { TableInspector.equal($0.name, name) })
        {
            return name
        }
        throw refusal(
            "table '\(table)' has columns named rowid, _rowid_ and oid, so that its rows can't be told apart; rename one"
        )
    }

    /// The columns of the key as the schema spells them.
    private func chosenKey(_ watched: WatchedTable, _ primaryKey: [String]) throws -> [String] {
        guard let wanted = watched.key else {
            guard !primaryKey.isEmpty else {
                throw Self.refusal(
                    "table '\(name)' has no primary key; set feeds.\(watched.feed).key to the columns of a unique index"
                )
            }
            return primaryKey
        }
        let key = try wanted.map { wanted in
            guard let column = columns.first(where: { TableInspector.equal($0.name, wanted) }) else {
                throw Self.refusal(
                    "table '\(name)' has no column '\(wanted)'; set feeds.\(watched.feed).key to some of: "
                        + columns.map(\.name).joined(separator: ", ")
                )
            }
            return column.name
        }
        let isUnique = uniques.contains { Set($0.map(\.column)) == Set(key) } || Set(key) == Set(primaryKey)
        guard isUnique else {
            throw Self.refusal(
                "nothing keeps two rows of table '\(name)' from having the same \(key.joined(separator: ", ")); create a unique "
                    + "index on it, or set feeds.\(watched.feed).key to the columns of one"
            )
        }
        return key
    }

    private static func refusal(_ message: String) -> SourceError {
        SourceError(.broken, message)
    }
}

/// A unique index as `pragma_index_list` and `pragma_index_xinfo` describe it.
private struct UniqueIndex {
    var name: String
    var isPrimaryKey: Bool
    /// Whether the index is the table, which has no rowid then.
    var isTable: Bool
    /// The columns and their collations; `nil` when it is partial or on an expression.
    var terms: [CapturedTable.Term]?

    static func all(_ db: Database, _ table: String) throws -> [UniqueIndex] {
        try Row.fetchAll(
            db,
            sql: "SELECT name, origin, partial FROM pragma_index_list(?) WHERE \"unique\" ORDER BY name",
            arguments: [table]
        ).map { index in
            let name: String = index["name"]
            let columns = try Row.fetchAll(
                db,
                sql: "SELECT cid, name, coll, key FROM pragma_index_xinfo(?) ORDER BY seqno",
                arguments: [name]
            )
            let keyed = columns.filter { $0["key"] as Int == 1 }
            let isPrimaryKey = index["origin"] as String == "pk"
            let isPlain = index["partial"] as Int == 0 && keyed.allSatisfy { $0["cid"] as Int >= 0 }
            return UniqueIndex(
                name: name,
                isPrimaryKey: isPrimaryKey,
                // The index of a table with rowids ends with the rowid, which has the number -1.
                isTable: isPrimaryKey && !columns.contains { $0["cid"] as Int == -1 },
                terms: isPlain ? keyed.map { CapturedTable.Term(column: $0["name"], collation: $0["coll"]) } : nil
            )
        }
    }
}
