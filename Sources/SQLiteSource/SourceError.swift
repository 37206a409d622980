// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Why a table can't be read.
package struct SourceError: Error, Sendable, CustomStringConvertible {
    /// What kind of trouble it is, and so what the feed becomes.
    package enum Code: Sendable {
        /// The file or the table isn't there yet, or can't be opened until the application opens it: `waiting`.
        case waiting

        /// Another connection holds the lock: the next poll tries again.
        case busy

        /// The table can't be followed, or the database can't be read: `broken`.
        case broken
    }

    /// What kind of trouble it is.
    package var code: Code

    /// What is wrong, where, and the remedy.
    package var message: String

    /// The message.
    package var description: String { message }

    /// Describes a trouble.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether an error is about the file rather than about what was asked of it.
    static func concernsFile(_ error: any Error) -> Bool {
        let codes: [ResultCode] = [.SQLITE_NOTADB, .SQLITE_CORRUPT, .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY]
        return (error as? DatabaseError).map { codes.contains($0.resultCode) } ?? false
    }

    /// Whether an error says that a read took longer than it may, which tried again would hold up others.
    static func isTooSlow(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.resultCode == .SQLITE_INTERRUPT
    }

    /// Sorts an error of SQLite's by what it means for a feed.
    ///
    /// Source: SQLite, "Result and Error Codes". BUSY in all its kinds, LOCKED and PROTOCOL go by themselves.
    package init(_ error: any Error, path: String) {
        switch error {
        case let error as SourceError:
            self = error
        case let error as DatabaseError:
            let text = error.message ?? "\(error.resultCode)"
            switch error.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL:
                self.init(.busy, "database '\(path)' is locked by another connection (\(text))")
            case .SQLITE_INTERRUPT:
                self.init(
                    .broken,
                    "database '\(path)': reading one page took longer than allowed; lower page_rows, or see that "
                        + "'where' is cheap"
                )
            case .SQLITE_NOTADB:
                self.init(.broken, "database '\(path)' is no SQLite database, or is encrypted; check the path")
            case .SQLITE_CORRUPT:
                self.init(.broken, "database '\(path)' is damaged (\(text)); restore it from a backup")
            default:
                self.init(
                    .broken,
                    "database '\(path)' can't be read: \(text) (SQLite code \(error.extendedResultCode.rawValue))"
                )
            }
        default:
            self.init(.broken, "database '\(path)' can't be read: \(error)")
        }
    }
}
