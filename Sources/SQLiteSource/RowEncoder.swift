// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import Glibc
import RowtailCore

/// Writes the row that a statement stands on as one JSON object, straight from SQLite's memory.
///
/// INTEGER becomes a number (or a string), REAL the shortest text that reads back the same, infinities strings, TEXT a
/// string, BLOB a base64 string, NULL null. Columns that hold JSON are embedded when they are valid.
struct RowEncoder: Sendable {
    /// One value of the object.
    private struct Field: Sendable {
        /// Where ``prefixes`` has `{"id":` or `,"total":`.
        var prefix: Range<Int>
        /// The index of the result column with the value.
        var column: CInt
        /// The index of the result column with the same value as minified JSON, NULL where it is none.
        var jsonColumn: CInt?
    }

    // Values without references, and all text in one array: nothing is retained for a field of a row.
    private let fields: [Field]
    private let prefixes: [UInt8]
    private let integers: IntegerFormat

    /// An encoder for a result of which some columns become fields.
    ///
    /// - Parameters:
    ///   - fields: The fields in order: name, index of the result column, index of its JSON twin.
    ///   - integers: How INTEGER values are written.
    init(fields: [(name: String, column: Int, jsonColumn: Int?)], integers: IntegerFormat) {
        self.integers = integers
        let names = FieldNames(fields.map(\.name))
        prefixes = names.bytes
        self.fields = zip(fields, names.ranges).map { field, prefix in
            Field(prefix: prefix, column: CInt(field.column), jsonColumn: field.jsonColumn.map { CInt($0) })
        }
    }

    /// The size of the row's texts and blobs in bytes: less than its JSON takes, and known without writing it.
    func payloadBytes(_ statement: SQLiteStatement) -> Int {
        fields.reduce(0) { sum, field in
            switch sqlite3_column_type(statement, field.column) {
            case SQLITE_TEXT: sum + (json(statement, field) ?? Self.text(statement, field.column)).count
            case SQLITE_BLOB: sum + Int(sqlite3_column_bytes(statement, field.column))
            default: sum
            }
        }
    }

    /// The minified JSON of a column that holds it; `nil` where the text is none.
    private func json(_ statement: SQLiteStatement, _ field: Field) -> UnsafeRawBufferPointer? {
        guard let column = field.jsonColumn, sqlite3_column_type(statement, column) == SQLITE_TEXT else { return nil }
        // SQLite's JSON functions look no further than a NUL, and what comes after it would be lost.
        let text = Self.text(statement, field.column)
        guard let start = text.baseAddress, memchr(start, 0, text.count) == nil else { return nil }
        return Self.text(statement, column)
    }

    /// Writes the row, unless it turns out to be too large before all of it was written.
    ///
    /// - Returns: Whether all of it was written.
    func encode(_ statement: SQLiteStatement, into writer: inout ByteWriter, limit: Int) -> Bool {
        let start = writer.count
        return prefixes.withUnsafeBytes { prefixes in
            for field in fields {
                writer.write(UnsafeRawBufferPointer(rebasing: prefixes[field.prefix]))
                let room = limit - (writer.count - start)
                guard encode(field, of: statement, into: &writer, room: room) else { return false }
            }
            writer.write(UInt8(ascii: "}"))
            return true
        }
    }

    /// Writes a value, unless its text or blob has more bytes than there is room for.
    private func encode(
        _ field: Field,
        of statement: SQLiteStatement,
        into writer: inout ByteWriter,
        room: Int
    ) -> Bool {
        switch sqlite3_column_type(statement, field.column) {
        case SQLITE_INTEGER:
            writer.write(jsonInteger: sqlite3_column_int64(statement, field.column), as: integers)
        case SQLITE_FLOAT:
            writer.write(jsonReal: sqlite3_column_double(statement, field.column))
        case SQLITE_TEXT:
            if let json = json(statement, field) {
                guard json.count <= room else { return false }
                writer.write(json: json)
            } else {
                let text = Self.text(statement, field.column)
                guard text.count <= room else { return false }
                writer.write(jsonString: text)
            }
        case SQLITE_BLOB:
            let blob = Self.blob(statement, field.column)
            guard blob.count <= room else { return false }
            writer.write(base64: blob)
        default:
            writer.write("null")
        }
        return true
    }

    /// The UTF-8 of a TEXT value, NULs inside included; valid until the statement moves on.
    static func text(_ statement: SQLiteStatement, _ column: CInt) -> UnsafeRawBufferPointer {
        // The pointer first: asking for the length first could convert the value twice.
        let start = sqlite3_column_text(statement, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    }

    /// The bytes of a BLOB value; valid until the statement moves on.
    static func blob(_ statement: SQLiteStatement, _ column: CInt) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(statement, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    }
}
