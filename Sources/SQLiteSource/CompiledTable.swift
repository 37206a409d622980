// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// A table's schema as one connection sees it, and the queries that were compiled for it.
struct CompiledTable {
    let schemaVersion: Int64
    let schema: TableSchema
    let queries: TableQueries
    let encoder: EventEncoder
    /// The log, in mode `log`.
    let log: CapturedLog?
    let newest: PreparedQuery
    let oldest: PreparedQuery
    let sequence: PreparedQuery?
    let pageAfter: PagedQuery
    let firstPage: PagedQuery
    let spanAfter: PagedQuery?
    let firstSpan: PagedQuery?
    let newestRows: PagedQuery
    let rowAt: PreparedQuery

    /// Compiles what is needed to follow a table.
    ///
    /// - Throws: ``SourceError`` when the configuration names what isn't there.
    init(_ db: Database, _ table: WatchedTable, path: String, version: Int64) throws {
        schemaVersion = version
        log = table.mode == .log ? try CapturedLog(db, table, path: path) : nil
        let watched = log?.watched(for: table) ?? table
        let schema = try TableInspector(watched: watched, path: path).inspect(db)
        self.schema = schema
        let queries = TableQueries(watched, schema)
        self.queries = queries
        encoder =
            if let log {
                .entry(try LogEntryEncoder(db, layouts: log.state.layouts, watched: table))
            } else {
                .row(RowEncoder(fields: queries.fields, integers: watched.integers))
            }
        do {
            // One that closed the parentheses around it would let pass rows that aren't of the page, again and again.
            _ = try queries.filterBare.map { try PreparedQuery(db, $0) }
            newest = try PreparedQuery(db, queries.newest)
            oldest = try PreparedQuery(db, queries.oldest)
            sequence = schema.isAutoincrement ? try PreparedQuery(db, queries.sequence) : nil
            pageAfter = try PagedQuery(db, queries.pageAfter)
            firstPage = try PagedQuery(db, queries.firstPage)
            spanAfter = watched.filter == nil ? nil : try PagedQuery(db, queries.spanAfter)
            firstSpan = watched.filter == nil ? nil : try PagedQuery(db, queries.firstSpan)
            newestRows = try PagedQuery(db, queries.newestRows)
            rowAt = try PreparedQuery(db, queries.rowAt)
            // A parameter would be NULL for ever, or one of ours, and let nothing pass without a word.
            if let probe = queries.filterAlone, try PreparedQuery(db, probe).parameterCount > 0 {
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
}
