// SPDX-License-Identifier: Apache-2.0

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
    static func check(path: String, file: FileStat, user: User = .current, mounts: MountTable = .current) throws {
        let real = realPath(path)
        guard FileStat(path: "\(real)/.") == nil else {
            throw SourceError(.broken, "'\(path)' is a directory, and no database; name the file in it")
        }
        if let mount = mounts.mount(of: real), mount.reach == .network {
            throw SourceError(
                .broken,
                "database '\(path)' is on a network file system (\(mount.type)), where SQLite's locks can't be relied on; "
                    + "move it to a local one, or run rowtail on the machine that has it"
            )
        }
        for name in [path, "\(real)-wal", "\(real)-shm"] where access(name, R_OK) != 0 && errno == EACCES {
            // Left by an earlier mode, they are not looked at.
            guard name == path || FileHeader(path: real)?.isWAL == true else { continue }
            throw SourceError(
                .broken,
                "database '\(name)' can't be read by user \(user.id): permission denied; let a group of this user read it"
            )
        }
        guard user.id != 0, user.id != file.owner, FileStat(path: "\(real)-shm") == nil,
            FileHeader(path: real)?.isWAL == true
        else { return }
        try checkAtRest(path: path, file: file, user: user)
    }

    /// Refuses to be the first to open a database in WAL mode where the files made for it would lock its owner out.
    ///
    /// - Throws: ``SourceError`` with the remedy.
    static func checkAtRest(path: String, file: FileStat, user: User = .current) throws {
        guard user.id != 0, user.id != file.owner else { return }
        let directory = directory(of: realPath(path))
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
}
