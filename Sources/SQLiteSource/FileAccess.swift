// SPDX-License-Identifier: Apache-2.0

import GRDBSQLite
import Glibc
import RowtailCore

/// Examines owner, group and mode before a database is opened.
///
/// Whoever opens a WAL database first creates its `-wal` and `-shm` files. Where the daemon would create them so that the
/// application can't write to them, the application could not write to its own database any more.
///
/// Source: SQLite, "Write-Ahead Logging", section 5 (read-only databases), and os_unix.c (unixOpenSharedMemory: the -shm
/// file gets the mode of the database file, and, when opened by root, its owner).
enum FileAccess {
    /// Who would open the database.
    struct User {
        var id: UInt32
        var group: UInt32

        static var current: User { User(id: geteuid(), group: getegid()) }
    }

    /// Refuses what would harm the application, or can't work.
    ///
    /// - Throws: ``SourceError`` with the remedy.
    static func check(path: String, file: FileStat, user: User = .current) throws {
        guard access(path, R_OK) == 0 else {
            throw SourceError(
                .broken,
                "database '\(path)' can't be read by user \(user.id): permission denied; let a group of this user read it"
            )
        }
        guard user.id != 0, user.id != file.owner else { return }
        let real = realPath(path)
        guard FileStat(path: "\(real)-shm") == nil, isWAL(real) else { return }
        let directory = directory(of: real)
        guard access(directory, W_OK) == 0, let folder = FileStat(path: directory) else { return }
        let setsGroup = folder.mode & UInt32(S_ISGID) != 0
        let group = setsGroup ? folder.group : user.group
        let ownerCanWrite = file.mode & 0o002 != 0 || (file.mode & 0o020 != 0 && group == file.group)
        guard !ownerCanWrite else { return }
        throw SourceError(
            .broken,
            "database '\(path)' is in WAL mode, belongs to user \(file.owner) and is closed: opening it as user \(user.id) would "
                + "create a '-shm' file that its owner can't write; run rowtail as user \(file.owner), or give the "
                + "directory the database's group with 'chmod g+s' and the database 'chmod g+w'"
        )
    }

    /// The path without symbolic links, as SQLite names the files beside a database.
    static func realPath(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// The directory that a file is in.
    static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Whether a database file says of itself that it is in WAL mode (SQLite, "Database File Format", section 1.3.3).
    ///
    /// Read through SQLite, which keeps the descriptor when closing it would drop locks that other connections hold.
    private static func isWAL(_ path: String) -> Bool {
        var connection: OpaquePointer?
        defer { sqlite3_close_v2(connection) }
        guard sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { return false }
        var file: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK, let file,
            let read = file.pointee.pMethods?.pointee.xRead
        else { return false }
        var versions: (UInt8, UInt8) = (0, 0)
        guard read(file, &versions, 2, 18) == SQLITE_OK else { return false }
        return versions.1 == 2
    }
}
