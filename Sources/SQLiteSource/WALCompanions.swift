// SPDX-License-Identifier: Apache-2.0

/// The `-wal` and `-shm` files beside a database, as a connection found them when it first read.
///
/// A connection keeps them open, whatever becomes of their names. SQLite deletes them only when the last connection is
/// closed, so another file of the same name means that somebody removed them: what is committed from then on goes where
/// the connection doesn't look. While nothing has the name, whoever else has them open may still write to them.
///
/// Source: SQLite, "How To Corrupt An SQLite Database File", section 2.4 (unlinking while in use).
struct WALCompanions {
    private let wal: String
    private let sharedMemory: String
    private var noted: (wal: FileStat.Identity?, sharedMemory: FileStat.Identity?) = (nil, nil)

    /// Those of a database, which may be none yet.
    init(path: String) {
        let real = FileAccess.realPath(path)
        wal = "\(real)-wal"
        sharedMemory = "\(real)-shm"
    }

    /// Takes note of those that weren't there before, as when the database was put into WAL mode.
    mutating func note() {
        if noted.wal == nil { noted.wal = FileStat(path: wal)?.identity }
        if noted.sharedMemory == nil { noted.sharedMemory = FileStat(path: sharedMemory)?.identity }
    }

    /// Whether there was a `-wal` file.
    var hasWAL: Bool { noted.wal != nil }

    /// Whether another file has the name of one of them.
    var wereReplaced: Bool {
        Self.isOther(wal, than: noted.wal) || Self.isOther(sharedMemory, than: noted.sharedMemory)
    }

    private static func isOther(_ path: String, than noted: FileStat.Identity?) -> Bool {
        guard let noted, let now = FileStat(path: path)?.identity else { return false }
        return now != noted
    }
}
