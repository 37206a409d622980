// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What a database says of the capture of one table, as one read transaction sees it.
package struct CaptureState: Sendable, Equatable {
    /// How the images of an installation's entries are laid out.
    package struct Layout: Sendable, Equatable {
        /// The columns in the order of the images.
        package var columns: [String]
        /// The columns whose values name a row.
        package var key: [String]
    }

    /// The layouts of all installations on the table, the dead ones too, by the `capture` of their entries.
    package var layouts: [Int64: Layout] = [:]

    /// The installation whose triggers are in force; `nil` when there never was one, or it was removed.
    package var current: Int64?

    /// The `seq` of the entries that say that writes before them may not have been logged, in order.
    package var gaps: [Int64] = []

    /// The `seq` through which entries of the table may have been pruned; 0 when none were.
    package var pruned: Int64 = 0

    /// Whether capturing was removed from the table before.
    package var wasRemoved = false

    /// Why the triggers don't log every write as it should be, with the remedy; `nil` when all matches.
    package var problem: String?

    /// Reads what there is, and compares the triggers with those that the table needs.
    ///
    /// It has to be called inside a read transaction; it costs a few look-ups in the schema, so that its result is best kept
    /// until `PRAGMA schema_version` changes. Installing and removing change that; pruning doesn't.
    ///
    /// - Throws: ``SourceError`` when the table isn't there, or can't be captured at all.
    init(_ db: Database, _ watched: WatchedTable, path: String) throws {
        try self.init(db, CapturedTable(db, watched, path: path), feed: watched.feed)
    }

    init(_ db: Database, _ table: CapturedTable, feed: String) throws {
        let remedy = "run 'rowtail capture install \(feed)'"
        for definition in CaptureTables.all {
            let sql = try String.fetchOne(
                db,
                sql: "SELECT sql FROM main.sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
                arguments: [definition.name]
            )
            guard let sql else {
                problem = "capture isn't installed on table '\(table.name)'; \(remedy)"
                return
            }
            guard sql == definition.sql else {
                throw SourceError(
                    .broken,
                    "table '\(definition.name)' isn't the one that rowtail makes; rename or drop it, then \(remedy)"
                )
            }
        }
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT id, key, columns, gap, pruned FROM main.rowtail_capture WHERE tbl = ? COLLATE NOCASE ORDER BY id
                """,
            arguments: [table.name]
        )
        for row in rows {
            pruned = max(pruned, row["pruned"] ?? 0)
            guard (row["key"] as String?) != nil else {
                wasRemoved = true
                continue
            }
            let layout = Layout(columns: ImageDecoder.names(row["columns"]), key: ImageDecoder.names(row["key"]))
            layouts[row["id"]] = layout
            if let gap: Int64 = row["gap"] { gaps.append(gap) }
            current = row["id"]
        }
        guard let current, let layout = layouts[current] else {
            problem = "capture isn't installed on table '\(table.name)'; \(remedy)"
            return
        }
        let difference =
            if layout.columns != table.columns.map(\.name) {
                "doesn't fit its columns any more"
            } else if layout.key != table.key {
                "has the key \(layout.key.joined(separator: ", ")), not \(table.key.joined(separator: ", "))"
            } else {
                try Self.difference(db, CapturePlan(table, id: current), on: table)
            }
        problem = difference.map { "capture on table '\(table.name)' \($0); \(remedy)" }
    }

    /// How the triggers on the table differ from those of a plan.
    private static func difference(_ db: Database, _ plan: CapturePlan, on table: CapturedTable) throws -> String? {
        let found = try CaptureTrigger.all(db).filter { TableInspector.equal($0.table, table.name) }
        let ours = found.filter(\.isOurs)
        let planned = plan.triggers
        let missing = planned.filter { trigger in !ours.contains { $0.name == trigger.name } }
        guard missing.isEmpty else {
            return missing.count == planned.count
                ? "has lost its triggers" : "has lost the trigger '\(missing[0].name)'"
        }
        for trigger in ours where !planned.contains(where: { $0.name == trigger.name && $0.sql == trigger.sql }) {
            return "has the trigger '\(trigger.name)', which isn't as the table needs it now"
        }
        // SQLite fires the newest trigger first. What another one writes to the table must come after what it reacts to.
        guard let oldest = ours.map(\.rank).min(), let newer = found.first(where: { !$0.isOurs && $0.rank > oldest })
        else { return nil }
        return "is older than the trigger '\(newer.name)', whose writes would be logged before those that it reacts to"
    }

    /// Refuses to go on unless every write is logged.
    ///
    /// - Throws: ``SourceError`` with ``problem``.
    package func requireMatching() throws {
        if let problem { throw SourceError(.broken, problem) }
    }
}

/// A trigger as the schema has it.
struct CaptureTrigger {
    var name: String
    var table: String
    var sql: String
    /// Where it stands in the schema: a higher one is newer.
    var rank: Int64

    /// All triggers of a database.
    static func all(_ db: Database) throws -> [CaptureTrigger] {
        try Row.fetchAll(
            db,
            sql: "SELECT rowid, name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' ORDER BY rowid"
        ).map { CaptureTrigger(name: $0["name"], table: $0["tbl_name"], sql: $0["sql"] ?? "", rank: $0["rowid"]) }
    }

    /// Whether capturing made it, going by its name: `rowtail_`, a number, and what it is for.
    var isOurs: Bool { installation != nil }

    /// The installation that it belongs to.
    var installation: Int64? {
        let parts = name.split(separator: "_", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == "rowtail" ? Int64(parts[1]) : nil
    }
}
