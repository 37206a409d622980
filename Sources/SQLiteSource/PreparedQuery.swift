// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import RowtailCore

/// A statement that is stepped by hand, so that values are read straight from SQLite's memory.
struct PreparedQuery {
    private let statement: Statement
    private let connection: SQLiteConnection

    /// Compiles a query.
    init(_ db: Database, _ sql: String) throws {
        statement = try db.makeStatement(sql: sql)
        guard let connection = db.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed")
        }
        self.connection = connection
    }

    /// How many parameters the query has.
    var parameterCount: Int { Int(sqlite3_bind_parameter_count(statement.sqliteStatement)) }

    /// Runs the query and calls `body` on each row until it returns false.
    ///
    /// - Returns: Whether there were no more rows.
    @discardableResult
    func run(_ arguments: [KeyValue?] = [], _ body: (SQLiteStatement) throws -> Bool) throws -> Bool {
        let handle = statement.sqliteStatement
        // Ends the read and drops the values, also when a row is refused.
        defer { sqlite3_reset(handle) }
        for (index, argument) in arguments.enumerated() {
            guard let argument else { continue }
            let result = Self.bind(argument, to: handle, CInt(index + 1))
            guard result == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: result)) }
        }
        return try rows(handle, body)
    }

    /// Runs the query with one text, which stays where it is meanwhile, and calls `body` on each row until it returns false.
    func run(text: UnsafeRawBufferPointer, _ body: (SQLiteStatement) throws -> Bool) throws {
        let handle = statement.sqliteStatement
        defer {
            sqlite3_reset(handle)
            // The text is the caller's.
            sqlite3_clear_bindings(handle)
        }
        let start = text.baseAddress?.assumingMemoryBound(to: CChar.self)
        let result = sqlite3_bind_text64(handle, 1, start, UInt64(text.count), nil, UInt8(SQLITE_UTF8))
        guard result == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: result)) }
        _ = try rows(handle, body)
    }

    private func rows(_ handle: SQLiteStatement, _ body: (SQLiteStatement) throws -> Bool) throws -> Bool {
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW:
                guard try body(handle) else { return false }
            case SQLITE_DONE:
                return true
            default:
                throw DatabaseError(
                    resultCode: ResultCode(rawValue: sqlite3_extended_errcode(connection)),
                    message: String(cString: sqlite3_errmsg(connection)),
                    sql: String(cString: sqlite3_sql(handle))
                )
            }
        }
    }

    private static func bind(_ value: KeyValue, to handle: SQLiteStatement, _ index: CInt) -> CInt {
        // SQLITE_TRANSIENT: SQLite copies the bytes before this returns.
        let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .integer(let value):
            return sqlite3_bind_int64(handle, index, value)
        case .real(let value):
            return sqlite3_bind_double(handle, index, value)
        case .text(let bytes):
            return bytes.withUnsafeBytes { bytes in
                let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress
                // Without bytes there may be no address either, and a null pointer would bind NULL.
                if let start, !bytes.isEmpty {
                    return sqlite3_bind_text(handle, index, start, CInt(bytes.count), copies)
                }
                return sqlite3_bind_text(handle, index, "", 0, copies)
            }
        case .blob(let bytes):
            return bytes.withUnsafeBytes { bytes in
                bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, index, 0)
                    : sqlite3_bind_blob(handle, index, bytes.baseAddress, CInt(bytes.count), copies)
            }
        }
    }
}
