// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// What `updated` mode needs: a watermark column, and a key that tells rows apart that share a watermark.
extension TableInspector {
    /// The columns that order the rows: the watermark, then the key.
    ///
    /// - Throws: ``SourceError`` when there is no such column, or nothing is unique.
    func updatedOrder(_ db: Database, _ table: String, _ columns: [ColumnInfo]) throws -> [String] {
        let watermark = try column(watched.watermark ?? "", "watermark", table, columns)
        try requireComparable(db, table, columns)
        let key = columns.filter { $0.keyRank > 0 }.sorted { $0.keyRank < $1.keyRank }.map(\.name)
        guard let wanted = watched.key else {
            guard !key.isEmpty else {
                throw refusal(
                    "table '\(table)' has no primary key; set feeds.\(watched.feed).key to columns that are unique together"
                )
            }
            return [watermark] + key
        }
        let names = try wanted.map { try column($0, "key", table, columns) }
        guard try Self.isSame(names, key) || isUnique(db, table, names) else {
            throw refusal(
                "nothing makes '\(names.joined(separator: "', '"))' unique in table '\(table)', so rows could be missed; set "
                    + "feeds.\(watched.feed).key to the primary key or to the columns of a UNIQUE index"
            )
        }
        return [watermark] + names
    }

    /// Refuses texts that SQLite orders by the units of UTF-16, as positions are ordered by those of UTF-8.
    private func requireComparable(_ db: Database, _ table: String, _ columns: [ColumnInfo]) throws {
        let encoding = try String.fetchOne(db, sql: "PRAGMA main.encoding") ?? "UTF-8"
        guard encoding != "UTF-8" else { return }
        let names = watched.key ?? columns.filter { $0.keyRank > 0 }.map(\.name)
        let texts = columns.filter { column in
            names.contains { Self.equal($0, column.name) } && !column.type.uppercased().contains("INT")
        }
        guard let text = texts.first else { return }
        throw refusal(
            "database '\(path)' has the encoding \(encoding), in which the texts of '\(text.name)' have another order than in UTF-8; set "
                + "feeds.\(watched.feed).key to unique INTEGER columns, or use mode 'log'"
        )
    }

    private func column(_ name: String, _ key: String, _ table: String, _ columns: [ColumnInfo]) throws -> String {
        guard let column = columns.first(where: { Self.equal($0.name, name) }) else {
            throw refusal(
                "table '\(table)' has no column '\(name)'; set feeds.\(watched.feed).\(key) to one of: "
                    + columns.map(\.name).joined(separator: ", ")
            )
        }
        return column.name
    }

    private static func isSame(_ names: [String], _ others: [String]) -> Bool {
        names.count == others.count && names.allSatisfy { name in others.contains { equal($0, name) } }
    }

    /// Whether a unique index has these columns and no others, for all rows.
    private func isUnique(_ db: Database, _ table: String, _ names: [String]) throws -> Bool {
        let indexes = try String.fetchAll(
            db,
            sql: "SELECT name FROM pragma_index_list(?) WHERE \"unique\" AND NOT partial",
            arguments: [table]
        )
        return try indexes.contains { index in
            let columns = try String?.fetchAll(
                db,
                sql: "SELECT name FROM pragma_index_info(?)",
                arguments: [index]
            )
            return Self.isSame(names, columns.compactMap(\.self)) && columns.count == names.count
        }
    }
}
