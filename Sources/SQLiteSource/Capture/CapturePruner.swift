// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB

/// Deletes the oldest entries of a captured table from the log, a thousand at a time, and notes how far it came.
///
/// It deletes from the oldest entry on and stops at the first that is to stay: what is left has no holes, and
/// `rowtail_capture.pruned` says where it begins.
package struct CapturePruner: Sendable {
    /// The most entries that one transaction deletes, so that the application doesn't wait for long.
    package static let batch = 1000

    private let watched: WatchedTable
    private let path: String
    private let retentionAge: Duration?
    private let retentionRows: Int?

    /// A pruner of a feed's table.
    ///
    /// - Parameters:
    ///   - watched: The table.
    ///   - path: The database.
    ///   - retentionAge: The age at which an entry goes; `nil` for none.
    ///   - retentionRows: How many entries of the table stay; `nil` for all.
    package init(
        _ watched: WatchedTable,
        path: String,
        retentionAge: Duration? = nil,
        retentionRows: Int? = nil
    ) {
        self.watched = watched
        self.path = path
        self.retentionAge = retentionAge
        self.retentionRows = retentionRows
    }

    /// Deletes what may go.
    ///
    /// Blocks for as long as it takes, and for a lock; an interrupted run leaves nothing to mend.
    ///
    /// - Parameters:
    ///   - now: The time in seconds since 1970.
    ///   - dryRun: Whether entries are only counted.
    ///   - isStopped: Whether to leave it at what was deleted so far; asked before each transaction.
    /// - Returns: How many entries went, or with `dryRun` would go.
    /// - Throws: ``SourceError`` with the remedy.
    package func pruneOnce(
        now: Double,
        dryRun: Bool = false,
        unless isStopped: () -> Bool = { false }
    ) throws -> Int {
        let database = try CaptureDatabase(path: path, readOnly: dryRun)
        var (last, pruned) = (Int64.min, 0)
        try database.read { try requireInstalled($0) }
        if let retentionAge { last = max(last, try lastOlder(than: now - retentionAge.seconds, database)) }
        if let retentionRows { last = max(last, try lastBefore(newest: retentionRows, database)) }
        guard last > .min else { return 0 }
        guard !dryRun else {
            return try database.read { db in
                try Int.fetchOne(
                    db,
                    sql: "SELECT count(*) FROM main.rowtail_log WHERE seq <= ? AND \(Self.isOurs)",
                    arguments: [last, watched.table]
                ) ?? 0
            }
        }
        var place = Int64.min
        while !isStopped(), let batch = try nextBatch(after: &place, through: last, database) {
            let start = ContinuousClock.now
            try database.write { try prune($0, batch) }
            pruned += batch.count
            // As long as the application had to wait, it gets to itself.
            Thread.sleep(forTimeInterval: min(0.1, (ContinuousClock.now - start) / .seconds(1)))
        }
        return pruned
    }

    /// Some of the table's oldest entries.
    struct Batch {
        var first: Int64
        var last: Int64
        var count: Int
    }

    /// Finds the next entries of the table up to one, looking at no more than a bounded number in each read transaction: most
    /// may be another table's.
    ///
    /// - Returns: `nil` when there are no more.
    func nextBatch(after place: inout Int64, through last: Int64, _ database: CaptureDatabase) throws -> Batch? {
        while true {
            let rows = try database.read { db in
                try Row.fetchAll(
                    db,
                    sql: """
                        SELECT seq, \(Self.isOurs) AS ours FROM main.rowtail_log WHERE seq > ? AND seq <= ?
                        ORDER BY seq LIMIT \(10 * Self.batch)
                        """,
                    arguments: [watched.table, place, last]
                )
            }
            guard let end = rows.last else { return nil }
            let ours = rows.filter { $0["ours"] }.prefix(Self.batch).map { $0["seq"] as Int64 }
            guard let first = ours.first, let through = ours.last else {
                place = end["seq"]
                continue
            }
            place = through
            return Batch(first: first, last: through, count: ours.count)
        }
    }

    private static let isOurs =
        "capture IN (SELECT id FROM main.rowtail_capture WHERE tbl = ? COLLATE NOCASE)"

    private func requireInstalled(_ db: Database) throws {
        let isInstalled =
            try db.tableExists(CaptureTables.capture.name)
            && Bool.fetchOne(
                db,
                sql: "SELECT EXISTS (SELECT 1 FROM main.rowtail_capture WHERE tbl = ? COLLATE NOCASE)",
                arguments: [watched.table]
            ) ?? false
        guard isInstalled else {
            throw SourceError(
                .broken,
                "capture isn't installed on table '\(watched.table)'; run 'rowtail capture install \(watched.feed)'"
            )
        }
    }

    /// Deletes a batch of entries, and notes that they went.
    func prune(_ db: Database, _ batch: Batch) throws {
        try db.execute(
            sql: "DELETE FROM main.rowtail_log WHERE seq BETWEEN ? AND ? AND \(Self.isOurs)",
            arguments: [batch.first, batch.last, watched.table]
        )
        try db.execute(
            sql: """
                UPDATE main.rowtail_capture SET pruned = ?
                WHERE id = (SELECT max(id) FROM main.rowtail_capture WHERE tbl = ? COLLATE NOCASE)
                """,
            arguments: [batch.last, watched.table]
        )
    }

    /// The last of the oldest entries that were written before a time; those after the first younger one stay.
    private func lastOlder(than time: Double, _ database: CaptureDatabase) throws -> Int64 {
        try steps(database, from: .min, "seq > ?", "seq") { db, batch in
            let young = try Int64.fetchOne(
                db,
                sql: """
                    SELECT min(seq) FROM main.rowtail_log
                    WHERE seq BETWEEN ? AND ? AND at >= strftime('%Y-%m-%dT%H:%M:%fZ', ?, 'unixepoch') AND \(Self.isOurs)
                    """,
                arguments: [batch.first, batch.last, time, watched.table]
            )
            guard let young else { return (batch.last, isDone: false) }
            return (batch.last { $0 < young }, isDone: true)
        }
    }

    /// The entry before the newest ones.
    private func lastBefore(newest count: Int, _ database: CaptureDatabase) throws -> Int64 {
        var left = count
        return try steps(database, from: .max, "seq < ?", "seq DESC") { _, batch in
            guard batch.count > left else {
                left -= batch.count
                return (nil, isDone: false)
            }
            return (batch[left], isDone: true)
        }
    }

    /// Walks along the entries of the table, some in each read transaction, until told to stop.
    ///
    /// - Returns: The last entry that `body` named; `Int64.min` for none.
    private func steps(
        _ database: CaptureDatabase,
        from start: Int64,
        _ condition: String,
        _ order: String,
        _ body: (Database, [Int64]) throws -> (Int64?, isDone: Bool)
    ) throws -> Int64 {
        var (from, found) = (start, Int64.min)
        while true {
            let isDone = try database.read { db in
                let batch = try Int64.fetchAll(
                    db,
                    sql: """
                        SELECT seq FROM main.rowtail_log WHERE \(condition) AND \(Self.isOurs)
                        ORDER BY \(order) LIMIT \(10 * Self.batch)
                        """,
                    arguments: [from, watched.table]
                )
                guard let last = batch.last else { return true }
                from = last
                let (entry, isDone) = try body(db, batch)
                if let entry { found = entry }
                return isDone
            }
            if isDone { return found }
        }
    }
}

extension Duration {
    /// The length in seconds.
    fileprivate var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
