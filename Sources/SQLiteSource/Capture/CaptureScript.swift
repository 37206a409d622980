// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What installing or removing does to a database, as SQL statements in order.
package struct CaptureScript: Sendable {
    /// The statements.
    package var statements: [String] = []

    /// What was found that the statements don't mend, each with the remedy.
    package var warnings: [String] = []

    /// The number of the installation that is made, or removed last.
    package var installation: Int64 = 0

    /// The statements as a text that could be given to the `sqlite3` program.
    package var sql: String {
        statements.map { $0 + ";\n" }.joined()
    }

    /// What puts triggers on a table; nothing where those in place fit.
    static func install(_ db: Database, _ table: CapturedTable, feed: String) throws -> CaptureScript {
        var script = CaptureScript()
        script.warnings = try warnings(db, table)
        let state = try CaptureState(db, table, feed: feed)
        if state.problem == nil {
            script.installation = state.current ?? 0
            return script
        }
        let tables = try String.fetchSet(db, sql: "SELECT name FROM main.sqlite_master WHERE type = 'table'")
        script.statements += CaptureTables.all.filter { !tables.contains($0.name) }.map(\.sql)
        let id = try nextInstallation(db, tables)
        script.installation = id
        let drops = try dropTriggers(db, table, of: state)
        script.statements += drops
        if !state.layouts.isEmpty {
            script.statements.append("DELETE FROM rowtail_staged WHERE capture IN (\(list(state.layouts.keys)))")
        }
        let (key, columns) = (names(table.key), names(table.columns.map(\.name)))
        script.statements.append(
            """
            INSERT INTO rowtail_capture (id, tbl, key, columns) VALUES (
            \(id), \(TableQueries.literal(table.name)), \(TableQueries.literal(key)), \(TableQueries.literal(columns)))
            """
        )
        // What was written since an earlier installation, or under another name of the table, may not have been logged.
        if !state.layouts.isEmpty || state.wasRemoved || !drops.isEmpty {
            script.statements += [
                "INSERT INTO rowtail_log (capture, op, at) VALUES (\(id), 'gap', strftime('%Y-%m-%dT%H:%M:%fZ','now'))",
                "UPDATE rowtail_capture SET gap = (SELECT max(seq) FROM rowtail_log) WHERE id = \(id)",
            ]
        }
        script.statements += CapturePlan(table, id: id).triggers.map(\.sql)
        return script
    }

    /// What takes the triggers off a table, and what then takes its entries and the rest away.
    struct Removal {
        var triggers: CaptureScript
        var rest: CaptureScript
        /// Whether nothing else is captured, so that the log goes as a whole.
        var isWhole: Bool
    }

    /// What removing all installations on a table takes.
    static func remove(_ db: Database, _ table: String, installations: [Int64]) throws -> Removal {
        var (triggers, rest) = (CaptureScript(), CaptureScript())
        let drops = try CaptureTrigger.all(db).filter { trigger in
            trigger.installation.map(installations.contains) == true
        }
        triggers.statements = drops.map { "DROP TRIGGER \(TableQueries.quoted($0.name))" }
        let others = try Int.fetchOne(
            db,
            sql: "SELECT count(*) FROM main.rowtail_capture WHERE tbl <> ? COLLATE NOCASE AND key IS NOT NULL",
            arguments: [table]
        )
        if others == 0 {
            rest.statements = CaptureTables.all.map { "DROP TABLE \($0.name)" }
        } else {
            let ids = list(installations)
            rest.statements = ["rowtail_staged WHERE capture", "rowtail_log WHERE capture"]
                .map { "DELETE FROM \($0) IN (\(ids))" }
            // The rows stay, without a layout: they say that entries went, and that a later installation is not the first.
            rest.statements.append(
                """
                UPDATE rowtail_capture SET key = NULL, columns = NULL, gap = NULL,
                pruned = (SELECT seq FROM sqlite_sequence WHERE name = 'rowtail_log') WHERE id IN (\(ids))
                """
            )
        }
        return Removal(triggers: triggers, rest: rest, isWhole: others == 0)
    }

    private static func names(_ names: [String]) -> String {
        names.map(TableQueries.literal).joined(separator: ",")
    }

    private static func list(_ ids: some Sequence<Int64>) -> String {
        ids.sorted().map(String.init).joined(separator: ", ")
    }

    /// Numbers are never given out twice, so that no entry is read by another installation's layout.
    private static func nextInstallation(_ db: Database, _ tables: Set<String>) throws -> Int64 {
        guard tables.contains("sqlite_sequence") else { return 1 }
        let last = try Int64.fetchOne(db, sql: "SELECT seq FROM main.sqlite_sequence WHERE name = 'rowtail_capture'")
        return (last ?? 0) + 1
    }

    private static func dropTriggers(
        _ db: Database,
        _ table: CapturedTable,
        of state: CaptureState
    ) throws -> [String] {
        try CaptureTrigger.all(db).filter { trigger in
            guard let installation = trigger.installation else { return false }
            // Those of earlier installations may have gone elsewhere with a table that was renamed.
            return state.layouts.keys.contains(installation) || TableInspector.equal(trigger.table, table.name)
        }.map { "DROP TRIGGER \(TableQueries.quoted($0.name))" }
    }

    /// What the triggers on a table can't see.
    static func warnings(_ db: Database, _ table: CapturedTable) throws -> [String] {
        let remedy = "have the writers set 'PRAGMA recursive_triggers = ON', or write no REPLACE"
        var warnings = table.opaqueIndexes.map { index in
            "unique index '\(index.name)' \(index.reason): rows that REPLACE deletes for it are not logged; \(remedy)"
        }
        warnings += try CaptureTrigger.all(db).filter { trigger in
            TableInspector.equal(trigger.table, table.name) && !trigger.isOurs
                && trigger.sql.uppercased().contains("BEFORE")
        }.map { trigger in
            "trigger '\(trigger.name)' may run before a write: if it replaces rows of the same table, rows that the write replaces are "
                + "not logged; \(remedy)"
        }
        let cascades = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?)
                WHERE "table" = ?1 COLLATE NOCASE AND on_update NOT IN ('NO ACTION', 'RESTRICT'))
                """,
            arguments: [table.name]
        )
        if cascades == true {
            warnings.append(
                "table '\(table.name)' refers to itself with ON UPDATE: when the key of a row that refers to itself changes, what SQLite "
                    + "writes on account of it is logged first; don't let a row refer to itself"
            )
        }
        return warnings
    }
}
