// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// The log of one captured table, as `log` mode reads it: a table that rows are appended to, with others' entries among them.
struct CapturedLog {
    /// Which entries are this table's, and how they are laid out.
    let state: CaptureState
    private let floors: PreparedQuery

    /// Looks at the capture of a table.
    ///
    /// - Throws: ``SourceError`` when not every write is logged.
    init(_ db: Database, _ watched: WatchedTable, path: String) throws {
        state = try CaptureState(db, watched, path: path)
        try state.requireMatching()
        floors = try PreparedQuery(
            db,
            """
            SELECT (SELECT max(pruned) FROM main.rowtail_capture WHERE tbl = \(TableQueries.literal(watched.table)) COLLATE NOCASE),
                (SELECT max(pruned) FROM main.rowtail_capture), (SELECT min(seq) FROM main.rowtail_log)
            """
        )
    }

    private static func list(_ state: CaptureState) -> String {
        state.layouts.keys.sorted().map(String.init).joined(separator: ", ")
    }

    /// The log as the table that is read in place of the captured one.
    func watched(for table: WatchedTable) -> WatchedTable {
        var log = table
        log.table = "rowtail_log"
        log.watermark = nil
        log.columns = Array(LogEntryEncoder.columns.dropFirst())
        log.jsonColumns = []
        log.filter = "main.rowtail_log.capture IN (\(Self.list(state)))"
        return log
    }

    /// The positions of entries that say that writes before them may not have been logged.
    func gaps(after position: Position) -> [Position] {
        state.gaps.map(Position.integer).filter { $0 > position }
    }

    /// The position up to which entries may have been deleted.
    ///
    /// Pruning says so itself. Where older entries are gone than it ever deleted, somebody else did, whoever's they were.
    func floor(head: Position) throws -> Position {
        var floor: Int64 = 0
        try floors.run { statement in
            func number(_ column: CInt) -> Int64? {
                if case .integer(let value)? = KeyValue(statement, column) { value } else { nil }
            }
            floor = number(0) ?? 0
            var last = number(2).map { $0 - 1 }
            // An empty log has lost everything.
            if last == nil, case .integer(let head) = head { last = head }
            if let last, last > number(1) ?? 0 { floor = max(floor, last) }
            return false
        }
        return floor > 0 ? .integer(floor) : .earliest
    }
}
