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
    private let framing: any EventFraming
    private var compiled: Compiled?
    private var versionQuery: PreparedQuery?

    private struct Compiled {
        let schemaVersion: Int64
        let schema: TableSchema
        let queries: TableQueries
        let encoder: RowEncoder
        let newest: PreparedQuery
        let sequence: PreparedQuery?
        let pageAfter: PreparedQuery
        let firstPage: PreparedQuery
        var spanAfter: PreparedQuery?
        var firstSpan: PreparedQuery?
        let rowAt: PreparedQuery
    }

    /// A reader of a table.
    init(_ watched: WatchedTable, path: String, framing: any EventFraming) {
        self.watched = watched
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
        let schema = try TableInspector(watched: watched, path: path).inspect(db)
        let queries = TableQueries(watched, schema)
        do {
            compiled = Compiled(
                schemaVersion: version,
                schema: schema,
                queries: queries,
                encoder: RowEncoder(fields: queries.fields, integers: watched.integers),
                newest: try PreparedQuery(db, queries.newest),
                sequence: schema.isAutoincrement ? try PreparedQuery(db, queries.sequence) : nil,
                pageAfter: try PreparedQuery(db, queries.pageAfter),
                firstPage: try PreparedQuery(db, queries.firstPage),
                spanAfter: watched.filter == nil ? nil : try PreparedQuery(db, queries.spanAfter),
                firstSpan: watched.filter == nil ? nil : try PreparedQuery(db, queries.firstSpan),
                rowAt: try PreparedQuery(db, queries.rowAt)
            )
            // A parameter would be NULL for ever, or one of ours, and let nothing pass without a word.
            if let probe = queries.filterAlone, try PreparedQuery(db, probe).parameterCount > 0 {
                compiled = nil
                throw SourceError(
                    .broken,
                    "feeds.\(watched.feed).where has a parameter; write the value in its place"
                )
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            throw SourceError(
                .broken,
                "table '\(schema.table)' can't be read: \(error.message ?? "bad SQL"); correct feeds.\(watched.feed)"
                    + (watched.filter == nil ? ".columns" : ".where")
            )
        }
    }

    private func prepared() throws -> Compiled {
        guard let compiled else {
            throw SourceError(.broken, "table '\(watched.table)' was read before it was looked at")
        }
        return compiled
    }

    // MARK: - Where the table stands

    /// The newest position: the greatest ever given out with AUTOINCREMENT, else the newest row's.
    func head() throws -> Position {
        let compiled = try prepared()
        var head: Position?
        try compiled.sequence?.run { statement in
            if sqlite3_column_type(statement, 0) == SQLITE_INTEGER {
                head = .integer(sqlite3_column_int64(statement, 0))
            }
            return false
        }
        return try head ?? single(compiled.newest) ?? .earliest
    }

    /// The oldest row's position.
    func oldest(_ db: Database) throws -> Position? {
        try single(PreparedQuery(db, prepared().queries.oldest))
    }

    private func single(_ query: PreparedQuery, _ arguments: [Int64?] = []) throws -> Position? {
        var found: Position?
        try query.run(arguments) { statement in
            found = .integer(try watermark(statement))
            return false
        }
        return found
    }

    /// The position just before the newest rows up to a head.
    func position(beforeNewest count: Int, through head: Position, _ db: Database) throws -> Position {
        guard case .integer(let last) = head else { return .earliest }
        let query = try PreparedQuery(db, prepared().queries.beforeNewest)
        return try single(query, [last, Int64(count)]) ?? .earliest
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

    // MARK: - Pages

    /// Reads and encodes the page after a position.
    ///
    /// It ends after `page_rows` rows looked at or `page_bytes` bytes, or, where the table has no more, at `through`. The
    /// events are encoded in `writer` before they are copied out.
    func page(
        after: Position,
        through: Position,
        generation: Int,
        foundAt: ContinuousClock.Instant?,
        writer: inout ByteWriter
    ) throws -> Segment {
        let compiled = try prepared()
        guard case .integer(var last) = through else {
            writer.truncate(to: 0)
            return Segment(generation: generation, after: after, through: after, copying: writer.bytes, events: [])
        }
        var start: Int64?
        if case .integer(let value) = after { start = value }
        if let query = start == nil ? compiled.firstSpan : compiled.spanAfter {
            // What is looked at is bounded, not only what is found, or a filter that lets nothing pass would hold the
            // read transaction for the length of the table.
            try query.run([start, last, Int64(watched.pageRows)]) { statement in
                if sqlite3_column_int64(statement, 1) >= Int64(watched.pageRows) { last = try watermark(statement) }
                return false
            }
        }
        var events: [Segment.Event] = []
        var passedOver = 0
        writer.truncate(to: 0)
        let query = start == nil ? compiled.firstPage : compiled.pageAfter
        let encoder = compiled.encoder
        let isDone = try query.run([start, last, Int64(watched.pageRows)]) { statement in
            let position = Position.integer(try watermark(statement))
            passedOver += encode(statement, EventID(position, generation: generation), encoder, into: &writer)
            events.append(Segment.Event(position: position, end: writer.count))
            return writer.count + passedOver < watched.pageBytes && events.count < watched.pageRows
        }
        return Segment(
            generation: generation,
            after: after,
            through: isDone ? .integer(last) : events.last?.position ?? .integer(last),
            copying: writer.bytes,
            events: events,
            foundAt: foundAt
        )
    }

    /// Writes a row's event.
    ///
    /// - Returns: How many bytes were read for it that are not in it, as the row is too large.
    private func encode(
        _ statement: SQLiteStatement,
        _ id: EventID,
        _ encoder: RowEncoder,
        into writer: inout ByteWriter
    ) -> Int {
        let limit = watched.maxEventBytes
        let start = framing.open(id, in: &writer)
        let dataStart = writer.count
        if encoder.encode(statement, into: &writer, limit: limit), writer.count - dataStart <= limit {
            framing.close(&writer, from: start)
            return 0
        }
        writer.truncate(to: start)
        var size = encoder.payloadBytes(statement)
        if size <= limit {
            // Only as JSON is it too large: its size is known when it was written.
            _ = encoder.encode(statement, into: &writer, limit: .max)
            size = writer.count - start
            writer.truncate(to: start)
        }
        framing.oversize(id, bytes: size, in: &writer)
        return size
    }

    // MARK: - Anchors

    /// Remembers rows back from the head, spaced exponentially, so that few prove much.
    func anchors(backFrom head: Position, _ db: Database) throws -> [Anchor] {
        guard case .integer(let last) = head, case .integer(let first)? = try oldest(db), first <= last else {
            return []
        }
        let query = try PreparedQuery(db, prepared().queries.rowUpTo)
        var anchors: [Anchor] = []
        for distance in AnchorSpacing.distances(span: UInt64(bitPattern: last &- first)) {
            let target = Int64(bitPattern: UInt64(bitPattern: last) &- distance)
            if let newest = anchors.last, newest.position <= .integer(target) { continue }
            guard let anchor = try anchor(query, target) else { break }
            if anchor.position != anchors.last?.position { anchors.append(anchor) }
        }
        return anchors
    }

    /// Remembers the row at a position; `nil` when there is no such row.
    func anchor(at position: Position) throws -> Anchor? {
        guard case .integer(let value) = position else { return nil }
        return try anchor(prepared().rowAt, value)
    }

    private func anchor(_ query: PreparedQuery, _ argument: Int64) throws -> Anchor? {
        let names = try prepared().queries.anchorColumns
        var anchor: Anchor?
        try query.run([argument]) { statement in
            var columns: [String: UInt64] = [:]
            for (offset, name) in names.enumerated() {
                columns[name] = ColumnHash.hash(statement, CInt(offset + 1))
            }
            anchor = Anchor(position: .integer(try watermark(statement)), columns: columns)
            return false
        }
        return anchor
    }
}
