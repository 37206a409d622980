// SPDX-License-Identifier: Apache-2.0

import GRDBSQLite
import Glibc

/// What can be said of a database file without reading a table.
struct FileCheck {
    private let path: String
    private let real: String
    private let user: FileAccess.User
    private let mounts: MountTable

    init(path: String, user: FileAccess.User = .current, mounts: MountTable = .current) {
        self.path = path
        real = FileAccess.realPath(path)
        self.user = user
        self.mounts = mounts
    }

    /// Looks at the file, its neighbours and its header.
    func findings() -> [Finding] {
        guard let file = FileStat(path: real) else { return [] }
        var findings = [fileSystem, owners].compactMap(\.self)
        do {
            try FileAccess.check(path: path, file: file, user: user, mounts: mounts)
        } catch {
            return findings + [Finding(SourceError(error, path: path), "access")]
        }
        findings.append(Finding(.verified, "access", "user \(Self.name(ofUser: user.id)) can read the file"))
        guard let header = FileHeader(path: real) else { return findings }
        findings += header.isWAL ? atRest(file) : []
        findings.append(journal(header))
        findings.append(versions(header))
        return findings
    }

    // MARK: - Where it is

    private var fileSystem: Finding? {
        guard let mount = mounts.mount(of: real) else { return nil }
        switch mount.reach {
        case .network:
            // Refused together with what else speaks against opening the file.
            return nil
        case .shared:
            return Finding(
                .warning,
                "file system",
                "the file is on '\(mount.type)', which shares it with another machine, whose programs heed no locks of this one",
                remedy: "let no program outside this machine open it, or move it to a local file system"
            )
        case .unknown:
            return Finding(
                .warning,
                "file system",
                "the file is on '\(mount.type)', a file system that a program provides: SQLite's locks hold only where it "
                    + "passes them on",
                remedy: "make sure that it does and that no other machine has the file open, or move it to a local one"
            )
        case .local:
            return Finding(.verified, "file system", "\(mount.type), where SQLite's locks hold")
        }
    }

    // MARK: - Who may do what

    private var owners: Finding {
        let directory = FileAccess.directory(of: real)
        let names = [real, "\(real)-wal", "\(real)-shm", directory]
        let parts = names.compactMap { name -> String? in
            guard let file = FileStat(path: name) else { return nil }
            let label =
                name == directory ? "directory" : String(name.dropFirst(directory == "/" ? 1 : directory.count + 1))
            let mode = String(file.mode, radix: 8)
            let owner = "\(Self.name(ofUser: file.owner)):\(Self.name(ofGroup: file.group))"
            return "\(label) \(String(repeating: "0", count: max(0, 4 - mode.count)))\(mode) \(owner)"
        }
        return Finding(.verified, "owners", parts.joined(separator: ", "))
    }

    /// What happens when the application closes a database in WAL mode that it has open now.
    private func atRest(_ file: FileStat) -> [Finding] {
        // Where it is closed now, opening it shows.
        guard FileStat(path: "\(real)-shm") != nil else { return [] }
        do {
            try FileAccess.checkAtRest(path: path, file: file, user: user)
        } catch {
            var finding = Finding(SourceError(error, path: path), "at rest")
            finding.level = .warning
            finding.message = "refused once the application closes it: \(finding.message)"
            return [finding]
        }
        let directory = FileAccess.directory(of: real)
        guard access(directory, W_OK) != 0 else { return [] }
        let name = Self.name(ofUser: user.id)
        let isReadOnly = mounts.mount(of: real)?.isReadOnly ?? false
        return [
            Finding(
                .warning,
                "at rest",
                isReadOnly
                    ? "the file system is read-only here: when the application has closed the database, it can't be opened"
                    : "user \(name) can't write to the directory: when the application has closed the database, it can't be "
                        + "opened",
                remedy: isReadOnly
                    ? "keep the application running, or mount it writable (under systemd: ReadWritePaths)"
                    : "keep the application running, or give the directory a group of this user with 'chmod g+ws' and the "
                        + "database 'chmod g+w'"
            )
        ]
    }

    /// A name as people know it; the number where it has none.
    static func name(ofUser id: UInt32) -> String {
        getpwuid(id).map { String(cString: $0.pointee.pw_name) } ?? "\(id)"
    }

    private static func name(ofGroup id: UInt32) -> String {
        getgrgid(id).map { String(cString: $0.pointee.gr_name) } ?? "\(id)"
    }

    // MARK: - What it says of itself

    private func journal(_ header: FileHeader) -> Finding {
        if header.isWAL {
            return Finding(
                .verified,
                "journal",
                "WAL: the application's commits and rowtail's reads don't wait for each other"
            )
        }
        return Finding(
            .warning,
            "journal",
            "a rollback journal: while rowtail reads a page, a COMMIT of the application gets SQLITE_BUSY unless it waits",
            remedy: "give the application a busy timeout (sqlite3_busy_timeout), or have it use WAL",
            sql: "PRAGMA journal_mode = WAL;"
        )
    }

    private func versions(_ header: FileHeader) -> Finding {
        let library = String(cString: sqlite3_libversion())
        let writer =
            header.writer > 0
            ? "last written by \(FileHeader.version(header.writer))" : "last written by an unknown version"
        return Finding(.verified, "sqlite", "read by \(library), \(writer)")
    }
}
