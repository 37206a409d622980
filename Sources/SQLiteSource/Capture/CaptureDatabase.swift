// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// A connection for the commands that write a database: opened for each of them, and closed after it.
///
/// Never creates the file and never sets a journal mode.
final class CaptureDatabase {
    /// How long a lock that another connection holds is waited for.
    static let busyTimeout: Duration = .seconds(5)

    private let queue: DatabaseQueue
    private let path: String

    /// Opens a file that exists.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - readOnly: Whether nothing may be written.
    /// - Throws: ``SourceError`` with the remedy.
    init(path: String, readOnly: Bool = false) throws {
        self.path = path
        guard let before = FileStat(path: path) else {
            throw SourceError(
                .waiting,
                "database file '\(path)' is not there, or can't be reached; check the path, or start the application first"
            )
        }
        try FileAccess.check(path: path, file: before)
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.label = "rowtail.capture"
        configuration.busyMode = .timeout(Double(Self.busyTimeout.components.seconds))
        // Rows are written for a trial alone, and taken back: what would be written on account of them need not be.
        configuration.foreignKeysEnabled = false
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
        } catch {
            throw SourceError(error, path: path)
        }
        guard FileStat(path: path)?.identity == before.identity else {
            throw SourceError(.busy, "database '\(path)' was replaced while it was opened; try again")
        }
    }

    /// Reads in one transaction.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try translating { try queue.read(body) }
    }

    /// Writes in one transaction, which takes the lock at its beginning and is taken back when `body` throws.
    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try translating {
            try queue.writeWithoutTransaction { db in
                var value: Value?
                try db.inTransaction(.immediate) {
                    value = try body(db)
                    return .commit
                }
                guard let value else { throw SourceError(.broken, "database '\(path)': a transaction had no result") }
                return value
            }
        }
    }

    private func translating<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DatabaseError {
            switch error.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED:
                throw SourceError(
                    .busy,
                    "database '\(path)' stayed locked by another connection for \(Self.busyTimeout); try again when it is less busy"
                )
            case .SQLITE_READONLY, .SQLITE_CANTOPEN:
                throw SourceError(
                    .broken,
                    "database '\(path)' can't be written by this user; run the command as the user that owns it"
                )
            default:
                throw SourceError(error, path: path)
            }
        }
    }
}
