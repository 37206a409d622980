// SPDX-License-Identifier: Apache-2.0

import GRDBSQLite

/// What the first bytes of a database file say of it.
///
/// Source: SQLite, "Database File Format", sections 1.3.3 and 1.3.18.
struct FileHeader {
    /// Whether the file is in WAL mode.
    let isWAL: Bool
    /// The version of the SQLite library that wrote it last, as `SQLITE_VERSION_NUMBER`; 0 when it doesn't say.
    let writer: Int

    /// Reads the header through SQLite, which keeps the descriptor when closing it would drop locks that other
    /// connections hold.
    ///
    /// - Returns: `nil` when the file can't be read or is shorter than a header.
    init?(path: String) {
        var connection: OpaquePointer?
        defer { sqlite3_close_v2(connection) }
        guard sqlite3_open_v2(path, &connection, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { return nil }
        var file: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK, let file,
            let read = file.pointee.pMethods?.pointee.xRead
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: 100)
        guard read(file, &bytes, CInt(bytes.count), 0) == SQLITE_OK else { return nil }
        isWAL = bytes[19] == 2
        writer = bytes[96..<100].reduce(0) { $0 << 8 | Int($1) }
    }

    /// A version number as people write it, `3.40.1`.
    static func version(_ number: Int) -> String {
        "\(number / 1_000_000).\(number / 1000 % 1000).\(number % 1000)"
    }
}
