// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport

@testable import SQLiteSource

/// A real file with a captured table, and what its log says.
struct CapturedFile {
    let database: TemporaryDatabase
    let watched: WatchedTable

    /// Makes the file and installs the triggers on a table, `t` when none is given.
    init(
        _ sql: String,
        table: String = "t",
        key: [String]? = nil,
        _ change: (inout WatchedTable) -> Void = { _ in }
    ) throws {
        database = try TemporaryDatabase(sql)
        var watched = WatchedTable(feed: "feed", table: table, mode: .log, key: key)
        change(&watched)
        self.watched = watched
        try install()
    }

    var installer: CaptureInstaller { CaptureInstaller(watched, path: database.path) }

    @discardableResult
    func install() throws -> CaptureInstaller.Installation { try installer.install() }

    /// What `capture status` has against the triggers.
    func problem() throws -> String? { try installer.status().state.problem }

    /// Runs SQL as the application, over a connection with the pragmas given.
    func write(_ sql: String, pragmas: String = "") throws {
        try database.execute("\(pragmas); \(sql)")
    }

    /// The events in the log after an entry, each as `encode` writes it, without its time.
    func events(after seq: Int64 = 0, as watched: WatchedTable? = nil) throws -> [String] {
        try CaptureDatabase(path: database.path, readOnly: true).read { db in
            let watched = watched ?? self.watched
            let state = try CaptureState(db, watched, path: database.path)
            let encoder = try LogEntryEncoder(db, layouts: state.layouts, watched: watched)
            let columns = LogEntryEncoder.columns.joined(separator: ", ")
            let query = try PreparedQuery(db, "SELECT \(columns) FROM rowtail_log WHERE seq > ?1 ORDER BY seq")
            var events: [String] = []
            var writer = ByteWriter()
            try query.run([.integer(seq)]) { statement in
                guard !encoder.isGap(statement) else {
                    events.append("gap")
                    return true
                }
                writer.truncate(to: 0)
                let isWhole = try encoder.encode(statement, into: &writer, limit: watched.maxEventBytes)
                let event = String(decoding: writer.bytes, as: UTF8.self)
                events.append(
                    isWhole
                        ? event.replacing(/,"at":"[-0-9T:.]+Z"}$/, with: "}")
                        : "oversize \(try encoder.payloadBytes(statement))"
                )
                return true
            }
            return events
        }
    }

    /// The events without what doesn't matter: `insert 1`, `update 1 -> {"id":1,"a":2}`, `delete 1`.
    func short(after seq: Int64 = 0) throws -> [String] {
        try events(after: seq).map { event in
            guard let match = event.wholeMatch(of: /\{"op":"(\w+)","key":\{"\w+":(.*?)\},"before":(.*?),"after":(.*)\}/)
            else { return event }
            return match.1 == "update" ? "update \(match.2) -> \(match.4)" : "\(match.1) \(match.2)"
        }
    }

    /// The number of the newest entry.
    func head() throws -> Int64 {
        Int64(try database.shell("SELECT coalesce(max(seq), 0) FROM rowtail_log").dropLast()) ?? -1
    }
}
