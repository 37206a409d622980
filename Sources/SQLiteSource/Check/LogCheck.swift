// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Whether every write of a table followed in mode `log` is captured (hazards H14 to H18).
struct LogCheck {
    let watched: WatchedTable
    let path: String

    /// Compares the triggers with those that the table needs; the log itself is not read.
    ///
    /// - Throws: ``SourceError`` `waiting` where there is no table yet.
    func findings(_ db: Database) throws -> [Finding] {
        let table: CapturedTable
        let state: CaptureState
        do {
            table = try CapturedTable(db, watched, path: path)
            state = try CaptureState(db, table, feed: watched.feed)
        } catch let error as SourceError where error.code == .broken {
            return [Finding(error, "capture")]
        }
        let key = table.key.map { "'\($0)'" }.joined(separator: ", ")
        let findings = [Finding(.verified, "key", "\(key) names a row in events, by the primary key or a UNIQUE index")]
        if let problem = state.problem {
            return findings + [Finding(SourceError(.broken, problem), "capture")]
        }
        let warnings = try CaptureScript.warnings(db, table).map { warning in
            var finding = Finding(SourceError(.broken, warning), "capture")
            finding.level = .warning
            return finding
        }
        let names = table.columns.map(\.name)
        // Not refused, as columns may come later, and entries of other times had others.
        let unknown = [("columns", watched.columns ?? []), ("json_columns", watched.jsonColumns)].flatMap {
            key,
            listed in
            listed.filter { name in !names.contains { TableInspector.equal($0, name) } }.map { name in
                Finding(
                    .warning,
                    "query",
                    "table '\(table.name)' has no column '\(name)', which is left out of events",
                    remedy: "set feeds.\(watched.feed).\(key) to some of: \(names.joined(separator: ", "))"
                )
            }
        }
        let advice = Finding(
            .advice,
            "mode",
            "'log' sends every insert, update and delete that is made with triggers on"
        )
        let fits = Finding(.verified, "capture", "installed, and the triggers fit the table")
        return findings + [fits] + warnings + unknown + [advice]
    }
}
