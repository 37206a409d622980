// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Puts the triggers of `log` mode on a table, looks after them, and takes them off.
package struct CaptureInstaller: Sendable {
    private let watched: WatchedTable
    private let path: String

    /// An installer for a feed's table.
    package init(_ watched: WatchedTable, path: String) {
        self.watched = watched
        self.path = path
    }

    /// What installing did.
    package struct Installation: Sendable {
        /// What was run, and what it doesn't mend.
        package var script: CaptureScript
        /// Whether everything was in place already.
        package var wasInstalled: Bool
        /// Why the triggers could not be tried; `nil` when they were, or were there already.
        package var untried: String?
    }

    /// What installing would do.
    package func installScript() throws -> CaptureScript {
        try CaptureDatabase(path: path, readOnly: true).read { db in
            try CaptureScript.install(db, CapturedTable(db, watched, path: path), feed: watched.feed)
        }
    }

    /// Installs the triggers, unless they are there and fit.
    ///
    /// One transaction, in which the triggers are tried on a row: if they fail there, nothing is changed.
    ///
    /// - Throws: ``SourceError`` with the remedy.
    package func install() throws -> Installation {
        let database = try CaptureDatabase(path: path)
        // Not worth the lock when all is there.
        let found = try database.read { db in
            try CaptureScript.install(db, CapturedTable(db, watched, path: path), feed: watched.feed)
        }
        guard !found.statements.isEmpty else { return Installation(script: found, wasInstalled: true) }
        return try database.write { db in
            let table = try CapturedTable(db, watched, path: path)
            let script = try CaptureScript.install(db, table, feed: watched.feed)
            let trial = CaptureTrial(table)
            // What fails without the triggers is the application's own doing.
            let refusal = try trial.run(db)
            for statement in script.statements { try db.execute(sql: statement) }
            guard refusal == nil else { return Installation(script: script, wasInstalled: false, untried: refusal) }
            let before = try Self.entries(db, script.installation)
            var after = before
            if let failure = try trial.run(db, observing: { after = try Self.entries(db, script.installation) }) {
                throw SourceError(
                    .broken,
                    "the triggers fail on table '\(table.name)' (\(failure)), so nothing was installed; report this with the table's schema"
                )
            }
            guard after - before >= 3 else {
                throw SourceError(
                    .broken,
                    "the triggers on table '\(table.name)' logged \(after - before) of 3 writes, so nothing was installed; "
                        + "report this with the table's schema"
                )
            }
            return Installation(script: script, wasInstalled: false)
        }
    }

    private static func entries(_ db: Database, _ installation: Int64) throws -> Int {
        try Int.fetchOne(
            db,
            sql: "SELECT count(*) FROM main.rowtail_log WHERE capture = ? AND op <> 'gap'",
            arguments: [installation]
        ) ?? 0
    }

    // MARK: - Status

    /// How the capture of a table fares.
    package struct Status: Sendable {
        /// What the database says.
        package var state: CaptureState
        /// How many entries the log has of the table.
        package var entries: Int
        /// When the oldest and the newest of them were written.
        package var oldest: String?
        /// When the newest of them was written.
        package var newest: String?
        /// What the triggers can't see, each with the remedy.
        package var warnings: [String]
    }

    /// Looks at the triggers and the log.
    ///
    /// - Throws: ``SourceError``, also when the table can't be captured.
    package func status() throws -> Status {
        try CaptureDatabase(path: path, readOnly: true).read { db in
            let table = try CapturedTable(db, watched, path: path)
            let state = try CaptureState(db, table, feed: watched.feed)
            var status = Status(state: state, entries: 0, warnings: try CaptureScript.warnings(db, table))
            guard !state.layouts.isEmpty else { return status }
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(*) AS entries, min(seq) AS first, max(seq) AS last FROM main.rowtail_log
                    WHERE capture IN (SELECT id FROM main.rowtail_capture WHERE tbl = ? COLLATE NOCASE)
                    """,
                arguments: [table.name]
            )
            func time(_ seq: Int64?) throws -> String? {
                try String.fetchOne(db, sql: "SELECT at FROM main.rowtail_log WHERE seq = ?", arguments: [seq])
            }
            status.entries = row?["entries"] ?? 0
            status.oldest = try time(row?["first"])
            status.newest = try time(row?["last"])
            return status
        }
    }

    // MARK: - Removing

    /// What removing would do.
    package func removeScript() throws -> CaptureScript {
        let scripts = try CaptureDatabase(path: path, readOnly: true).read { try removeScripts($0) }
        return CaptureScript(statements: scripts.triggers.statements + scripts.rest.statements)
    }

    /// Takes the triggers off, then the table's entries out of the log, at last the log itself if nothing else is captured.
    ///
    /// The triggers go in one transaction, then the application is free of them; entries that stay in the file beside
    /// those of other tables go some at a time. When this is interrupted, it can be run again.
    package func remove() throws -> CaptureScript {
        let database = try CaptureDatabase(path: path)
        var script = try database.write { db in
            let triggers = try removeScripts(db).triggers
            for statement in triggers.statements { try db.execute(sql: statement) }
            return triggers
        }
        let pruner = CapturePruner(watched, path: path)
        var place = Int64.min
        while try !database.read({ try removeScripts($0).isWhole }),
            let batch = try pruner.nextBatch(after: &place, through: .max, database)
        {
            try database.write { try pruner.prune($0, batch) }
        }
        script.statements += try database.write { db in
            let rest = try removeScripts(db).rest
            for statement in rest.statements { try db.execute(sql: statement) }
            return rest.statements
        }
        return script
    }

    private func removeScripts(_ db: Database) throws -> CaptureScript.Removal {
        // The table itself may be gone.
        guard try db.tableExists(CaptureTables.capture.name) else { throw notInstalled }
        let ids = try Int64.fetchAll(
            db,
            sql: "SELECT id FROM main.rowtail_capture WHERE tbl = ? COLLATE NOCASE AND key IS NOT NULL",
            arguments: [watched.table]
        )
        guard !ids.isEmpty else { throw notInstalled }
        return try CaptureScript.remove(db, watched.table, installations: ids)
    }

    private var notInstalled: SourceError {
        SourceError(.broken, "capture isn't installed on table '\(watched.table)', so there is nothing to remove")
    }
}
