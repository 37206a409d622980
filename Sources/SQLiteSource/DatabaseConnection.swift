// SPDX-License-Identifier: Apache-2.0

import Dispatch
import GRDB
import GRDBSQLite
import Glibc
import RowtailCore

/// One read-only connection to a database file, used by one thread at a time.
///
/// Never creates the file, never writes, never sets a journal mode, never uses `immutable`. GRDB's defaults keep
/// double-quoted names from reading as strings.
final class DatabaseConnection {
    /// How long one read transaction may take before it is interrupted.
    private static let transactionLimit: Duration = .seconds(5)

    /// The file that was opened.
    let identity: FileStat.Identity
    /// The files beside it that this connection uses.
    private var companions: WALCompanions

    private let queue: DatabaseQueue
    private let dataVersionQuery: PreparedQuery
    // SQLite calls back with this during a transaction: the instant, in ns of CLOCK_MONOTONIC, after which it ends.
    private let deadline: UnsafeMutablePointer<UInt64>

    /// Opens a file that exists.
    ///
    /// - Throws: ``SourceError``, or what GRDB throws.
    init(path: String, label: String) throws {
        guard let before = FileStat(path: path) else { throw Self.missing(path) }
        try FileAccess.check(path: path, file: before)
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = label
        configuration.busyMode = .immediateError
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
        } catch let error as DatabaseError
            where error.resultCode == .SQLITE_CANTOPEN || error.resultCode == .SQLITE_READONLY
        {
            throw Self.unopened(path, error)
        }
        // The name may have been given to another file meanwhile; then which one was opened is unknown.
        guard let after = FileStat(path: path), after.identity == before.identity else {
            throw SourceError(.busy, "database '\(path)' was replaced while it was opened")
        }
        identity = before.identity
        companions = WALCompanions(path: path)
        dataVersionQuery = try queue.unsafeRead { try PreparedQuery($0, "PRAGMA main.data_version") }
        deadline = .allocate(capacity: 1)
        deadline.initialize(to: .max)
        let context = deadline
        queue.unsafeRead { db in
            sqlite3_progress_handler(
                db.sqliteConnection,
                100_000,
                { context in
                    let deadline = context?.assumingMemoryBound(to: UInt64.self).pointee ?? .max
                    return DispatchTime.now().uptimeNanoseconds > deadline ? 1 : 0
                },
                context
            )
        }
    }

    deinit {
        // The progress handler points into the memory, and SQLite outlives this while statements do.
        queue.unsafeRead { sqlite3_progress_handler($0.sqliteConnection, 0, nil, nil) }
        deadline.deallocate()
    }

    /// Why SQLite can't open a file that may be read.
    ///
    /// Source: SQLite, "Write-Ahead Logging", section 5: CANTOPEN and READONLY_DIRECTORY where a database in WAL mode is
    /// closed and its `-shm` file can't be created.
    private static func unopened(_ path: String, _ error: DatabaseError) -> SourceError {
        guard FileStat(path: path) != nil else { return missing(path) }
        let probe = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard probe >= 0 else {
            return SourceError(
                .waiting,
                "database '\(path)' can't be opened for want of file descriptors; raise the limit on open files "
                    + "(LimitNOFILE)"
            )
        }
        close(probe)
        if error.extendedResultCode == .SQLITE_READONLY_ROLLBACK
            || error.extendedResultCode == .SQLITE_READONLY_RECOVERY
        {
            return SourceError(
                .waiting,
                "database '\(path)' was left in the middle of a write, which only a writer can undo; it is read as soon as "
                    + "an application opens it"
            )
        }
        return SourceError(
            .waiting,
            "database '\(path)' is at rest and this user can't open it (SQLite code "
                + "\(error.extendedResultCode.rawValue)); it is read as soon as the application opens it, or at once "
                + "when this user may write to its directory"
        )
    }

    private static func missing(_ path: String) -> SourceError {
        switch errno {
        case EACCES:
            SourceError(
                .broken,
                "database '\(path)' can't be reached: permission denied; let this user search every directory on the way"
            )
        default:
            SourceError(.waiting, "database file '\(path)' is not there yet; it is waited for")
        }
    }

    /// SQLite's counter of commits by other connections; costs no read of any table.
    ///
    /// Source: SQLite, "PRAGMA data_version": comparable on one connection only.
    func dataVersion() throws -> Int64 {
        // Past GRDB's queue, as nobody else uses the connection meanwhile: this is what a quiet poll costs.
        var version: Int64 = 0
        try dataVersionQuery.run { statement in
            version = sqlite3_column_int64(statement, 0)
            return false
        }
        return version
    }

    /// Takes note of the `-wal` and `-shm` files, which a connection opens with its first read and keeps.
    func noteCompanions() {
        companions.note()
    }

    /// Whether it found a `-wal` file when it read.
    var usesWAL: Bool { companions.hasWAL }

    /// Whether other files have the names of the `-wal` and `-shm` files that this connection goes on using.
    var lostCompanions: Bool {
        companions.wereReplaced
    }

    /// Reads a table in one short transaction, with queries that fit the schema that the transaction sees.
    func read<Value>(with reader: TableReader, _ body: (Database) throws -> Value) throws -> Value {
        try read { db in
            try reader.prepare(db)
            return try body(db)
        }
    }

    /// Reads in one short transaction, which is over when this returns.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        let limit = Self.transactionLimit.components.seconds * 1_000_000_000
        deadline.pointee = DispatchTime.now().uptimeNanoseconds + UInt64(limit)
        defer { deadline.pointee = .max }
        return try queue.read(body)
    }
}
