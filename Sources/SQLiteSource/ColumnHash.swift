// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import RowtailCore

/// Hashes values for anchors: the storage class and the bytes, of long values the first 64 KiB and the length.
enum ColumnHash {
    private static let hashedBytes = 64 * 1024

    /// The hash of a result column of the row that a statement stands on.
    static func hash(_ statement: SQLiteStatement, _ column: CInt) -> UInt64 {
        var hash = StableHash()
        let type = sqlite3_column_type(statement, column)
        hash.feed(UInt8(truncatingIfNeeded: type))
        switch type {
        case SQLITE_INTEGER:
            hash.feed(UInt64(bitPattern: sqlite3_column_int64(statement, column)))
        case SQLITE_FLOAT:
            hash.feed(sqlite3_column_double(statement, column).bitPattern)
        case SQLITE_TEXT:
            feed(RowEncoder.text(statement, column), to: &hash)
        case SQLITE_BLOB:
            feed(RowEncoder.blob(statement, column), to: &hash)
        default:
            break
        }
        return hash.value
    }

    private static func feed(_ bytes: UnsafeRawBufferPointer, to hash: inout StableHash) {
        hash.feed(UInt64(bytes.count))
        hash.feed(UnsafeRawBufferPointer(rebasing: bytes.prefix(hashedBytes)))
    }
}
