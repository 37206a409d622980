// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import RowtailCore

/// Reads one table over one connection: its head, pages of encoded rows, and the rows that anchors remember.
///
/// Bound to its connection; every call is made inside a read transaction on it, and compiles the queries anew when the
/// schema changed.
final class TableReader {
    let watched: WatchedTable
    private let path: String
    let framing: any EventFraming
    private let clock: WallClock
    private(set) var compiled: CompiledTable?
    private var versionQuery: PreparedQuery?
    /// How the watermark tells the time, in `updated` mode, once there was a row to tell it by.
    var format: WatermarkFormat?

    /// The newest position in `updated` mode, settled or not, when it was last looked for.
    var newestOfAll: Position?

    /// The newest watermark that had settled then; `nil` for versions.
    var settledThrough: KeyValue?

    /// Whether capturing was seen not to work, in `log` mode.
    var wasInterrupted = false

    /// A reader of a table.
    init(_ watched: WatchedTable, path: String, framing: any EventFraming, clock: WallClock = .system) {
        self.watched = watched
        self.clock = clock
        self.path = path
        self.framing = framing
    }

    /// The table's schema, as far as it was looked at.
    var schema: TableSchema? { compiled?.schema }

    /// The version of the schema that the queries were compiled for.
    var schemaVersion: Int64? { compiled?.schemaVersion }

    /// Forgets the queries of a connection that is about to be closed.
    func reset() {
        compiled = nil
        versionQuery = nil
    }

    /// Makes sure that the queries fit the schema of this read transaction.
    ///
    /// - Throws: ``SourceError`` when the table can't be followed.
    func prepare(_ db: Database) throws {
        let query = try versionQuery ?? PreparedQuery(db, "PRAGMA main.schema_version")
        versionQuery = query
        var version: Int64 = 0
        try query.run { statement in
            version = sqlite3_column_int64(statement, 0)
            return false
        }
        guard compiled?.schemaVersion != version else { return }
        compiled = nil
        format = nil
        do {
            compiled = try CompiledTable(db, watched, path: path, version: version)
        } catch {
            // Writes of this time may not be logged, even if it is over before the next poll sees it.
            if watched.mode == .log, !(error is DatabaseError) { wasInterrupted = true }
            throw error
        }
    }

    /// The time now.
    var now: UnixTime { clock.now }

    func prepared() throws -> CompiledTable {
        guard let compiled else {
            throw SourceError(.broken, "table '\(watched.table)' was read before it was looked at")
        }
        return compiled
    }

    // MARK: - Where the table stands

    /// The newest position that may be handed over.
    ///
    /// The greatest ever given out with AUTOINCREMENT, else the newest row's; in `updated` mode the newest that has settled.
    func head(_ db: Database) throws -> Position {
        let compiled = try prepared()
        if compiled.schema.order.isKeyed { return try settledHead(db) }
        var head: Position?
        try compiled.sequence?.run { statement in
            if sqlite3_column_type(statement, 0) == SQLITE_INTEGER {
                head = .integer(sqlite3_column_int64(statement, 0))
            }
            return false
        }
        return try head ?? single(compiled.newest) ?? .earliest
    }

    /// The position that a query finds.
    func single(_ query: PreparedQuery, _ arguments: [KeyValue?] = []) throws -> Position? {
        var found: Position?
        try query.run(arguments) { statement in
            found = try position(statement)
            return false
        }
        return found
    }

    /// The position just before the newest rows up to a head.
    func position(beforeNewest count: Int, through head: Position) throws -> Position {
        let compiled = try prepared()
        var (found, seen) = (Position.earliest, 0)
        try compiled.newestRows.run(compiled.schema.order.arguments(head), limit: count + 1) { statement in
            seen += 1
            if seen > count { found = try position(statement) }
            return seen <= count
        }
        // Nothing before what was deleted from a log is to be had.
        return max(found, try floor(head: head))
    }

    /// The position up to which nothing is to be had any more, as it was deleted from the log.
    func floor(head: Position) throws -> Position {
        try prepared().log?.floor(head: head) ?? .earliest
    }

    /// The position of the row that a statement stands on, whose columns come first.
    func position(_ statement: SQLiteStatement) throws -> Position {
        guard let order = compiled?.schema.order else { return .earliest }
        guard order.isKeyed else { return .integer(try watermark(statement)) }
        let values = order.columns.indices.map { KeyValue(statement, CInt($0)) }
        let known = values.compactMap(\.self)
        guard known.count == values.count, values[0].map({ format?.fits($0) ?? true }) == true else {
            throw misfit(values)
        }
        return .row(RowPosition(known))
    }

    /// The watermark of the row that a statement stands on.
    ///
    /// A column that is not the rowid can hold other values than integers, whose order is another: such a row could be
    /// passed over silently.
    private func watermark(_ statement: SQLiteStatement) throws -> Int64 {
        guard sqlite3_column_type(statement, 0) == SQLITE_INTEGER else {
            let text = String(decoding: RowEncoder.text(statement, 0).prefix(64), as: UTF8.self)
            let column = compiled?.schema.watermark ?? ""
            throw SourceError(
                .broken,
                "table '\(watched.table)' has a row whose '\(column)' is '\(text)', no INTEGER; correct or delete that row"
            )
        }
        return sqlite3_column_int64(statement, 0)
    }
}
