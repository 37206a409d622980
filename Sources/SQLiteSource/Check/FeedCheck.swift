// SPDX-License-Identifier: Apache-2.0

import GRDB
import Glibc
import RowtailCore

/// Finds out whether a feed can be served, what is unsafe about it, and what would mend it.
///
/// Reads a bounded number of rows, each found through an index, so that it takes no longer on a large table. Opens the
/// database as the daemon does, and so does it no more harm.
package struct FeedCheck {
    private let watched: WatchedTable
    let path: String
    private let patience: Duration

    /// A check of one feed.
    ///
    /// `patience` is how long a database is asked again that another connection has locked.
    package init(_ watched: WatchedTable, path: String, patience: Duration = .zero) {
        self.watched = watched
        self.path = path
        self.patience = patience
    }

    /// Looks at the table, unless what was found out about the file speaks against opening it.
    func run(after file: [Finding]) -> FeedReport {
        FeedReport(
            feed: watched.feed,
            database: path,
            table: watched.table,
            mode: watched.mode,
            fileFindings: file,
            tableFindings: file.contains { $0.level == .refused } ? [] : tableFindings()
        )
    }

    private func tableFindings() -> [Finding] {
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                return try DatabaseConnection(path: path, label: "check").read { try Self.findings(watched, path, $0) }
            } catch {
                let problem = SourceError(error, path: path)
                guard problem.code == .busy else { return [finding(problem)] }
                guard ContinuousClock.now < deadline else {
                    return [Finding(.waiting, "lock", problem.message, remedy: "check again when it is free")]
                }
                usleep(20_000)
            }
        }
    }

    /// Looks at the table inside a read transaction.
    static func findings(
        _ watched: WatchedTable,
        _ path: String,
        _ db: Database,
        clock: WallClock = .system
    ) throws -> [Finding] {
        guard watched.mode != .log else { return try LogCheck(watched: watched, path: path).findings(db) }
        let reader = TableReader(watched, path: path, framing: NoFraming(), clock: clock)
        do {
            try reader.prepare(db)
        } catch let error as SourceError where error.code == .broken {
            return try refusal(error, watched, path, db)
        }
        guard let facts = try TableFacts(db, watched.table), let schema = reader.schema else { return [] }
        let findings =
            watched.mode == .updated
            ? try UpdatedCheck(watched: watched, schema: schema, facts: facts, reader: reader).findings(db)
            : try AppendCheck(watched: watched, schema: schema, facts: facts).findings(db)
        guard !findings.contains(where: { $0.level == .refused }) else { return findings }
        return findings + SchemaHints(watched.mode, schema, facts).findings + [ModeAdvice(watched, facts).sentence]
    }

    /// Why a table can't be followed, and what would help.
    private static func refusal(
        _ error: SourceError,
        _ watched: WatchedTable,
        _ path: String,
        _ db: Database
    ) throws -> [Finding] {
        guard let facts = try TableFacts(db, watched.table) else { return [Finding(error, "table")] }
        // Where only the columns or the filter are wrong, another mode is no help.
        var bare = watched
        (bare.columns, bare.jsonColumns, bare.filter) = (nil, [], nil)
        guard (try? TableInspector(watched: bare, path: path).inspect(db)) == nil else {
            return [Finding(error, "query")]
        }
        let advice = ModeAdvice(watched, facts)
        return [Finding(error, "watermark", sql: advice.uniqueIndex)] + [advice.otherMode].compactMap(\.self)
    }

    /// What keeps the table from being looked at.
    private func finding(_ error: SourceError) -> Finding {
        var finding = Finding(error, FileStat(path: path) == nil ? "file" : "table")
        // The daemon waits; who asks for a check wants to know that there is nothing to see, which may be a slip.
        if finding.remedy == "it is waited for" {
            let key = finding.topic == "file" ? "the path" : "feeds.\(watched.feed).table"
            finding.remedy = "correct \(key), or check again when the application has made it"
        }
        return finding
    }
}

/// Nothing is published by a check.
private struct NoFraming: EventFraming {
    func open(_ id: EventID, in writer: inout ByteWriter) -> Int { writer.count }
    func close(_ writer: inout ByteWriter, from start: Int) {}
    func oversize(_ id: EventID, bytes: Int, in writer: inout ByteWriter) {}
    func reset(_ reset: Reset, at id: EventID, in writer: inout ByteWriter) {}
}
