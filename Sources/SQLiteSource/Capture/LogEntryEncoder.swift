// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import Glibc
import RowtailCore

/// Writes the log entry that a statement stands on as one JSON object: what happened, the key, the row before and after.
///
/// Values are written as ``RowEncoder`` writes those of a read. Bound to a connection, whose SQLite is asked whether a text
/// is JSON, and used by one thread at a time.
final class LogEntryEncoder {
    /// The columns of a result that ``encode(_:into:limit:)`` reads, in order.
    static let columns = ["seq", "capture", "op", "at", "before", "after"]

    /// How the entries of one installation become objects.
    private struct Plan {
        var count: Int
        var fields: [(index: Int, isJSON: Bool)] = []
        var names = FieldNames([])
        var key: [Int] = []
        var keyNames = FieldNames([])

        init(_ layout: CaptureState.Layout, _ watched: WatchedTable) {
            count = layout.columns.count
            func index(_ name: String) -> Int? { layout.columns.firstIndex { TableInspector.equal($0, name) } }
            // A column that wasn't there yet, or is no more, is left out of the entries of that time.
            let wanted = (watched.columns ?? layout.columns).compactMap(index)
            fields = wanted.map { index in
                (index, watched.jsonColumns.contains { TableInspector.equal($0, layout.columns[index]) })
            }
            names = FieldNames(wanted.map { layout.columns[$0] })
            key = layout.key.compactMap(index)
            keyNames = FieldNames(key.map { layout.columns[$0] })
        }
    }

    private let first: CInt
    private let integers: IntegerFormat
    private let plans: [Int64: Plan]
    private let json: PreparedQuery?
    private var before: ImageDecoder
    private var after: ImageDecoder

    /// An encoder for the entries of a table.
    ///
    /// - Parameters:
    ///   - db: The connection that the entries are read by.
    ///   - layouts: The layouts of ``CaptureState``.
    ///   - watched: What the configuration says of columns and integers.
    ///   - first: The index of the result column with `seq`; the others of ``columns`` follow it.
    /// - Throws: What SQLite says against it.
    init(
        _ db: Database,
        layouts: [Int64: CaptureState.Layout],
        watched: WatchedTable,
        first: Int = 0
    ) throws {
        self.first = CInt(first)
        integers = watched.integers
        plans = layouts.mapValues { Plan($0, watched) }
        // json() takes the line breaks out, which would end the data line.
        json =
            watched.jsonColumns.isEmpty
            ? nil : try PreparedQuery(db, "SELECT json(?1) WHERE json_valid(?1)")
        let name = try String.fetchOne(db, sql: "PRAGMA main.encoding")
        let encoding = name.flatMap(ImageDecoder.Encoding.init) ?? .utf8
        before = ImageDecoder(encoding: encoding)
        after = ImageDecoder(encoding: encoding)
    }

    private enum Offset: CInt {
        case seq, capture, op, at, before, after
    }

    private func column(_ offset: Offset) -> CInt { first + offset.rawValue }

    private func isNull(_ statement: SQLiteStatement, _ offset: Offset) -> Bool {
        sqlite3_column_type(statement, column(offset)) == SQLITE_NULL
    }

    /// Whether the entry stands for writes that may not have been logged, and is no event.
    func isGap(_ statement: SQLiteStatement) -> Bool {
        RowEncoder.text(statement, column(.op)).elementsEqual("gap".utf8)
    }

    /// Writes the entry, unless it turns out to be too large before all of it was written.
    ///
    /// - Returns: Whether all of it was written.
    /// - Throws: ``SourceError`` for an entry that the triggers didn't write.
    func encode(_ statement: SQLiteStatement, into writer: inout ByteWriter, limit: Int) throws -> Bool {
        let start = writer.count
        let plan = try plan(statement)
        do throws(ImageDecoder.Failure) {
            try open(statement, plan)
            writer.write("{\"op\":")
            writer.write(jsonString: RowEncoder.text(statement, column(.op)))
            writer.write(",\"key\":")
            let keyed = isNull(statement, .after) ? Offset.before : .after
            let limit = start + limit
            guard try write(plan.key.map { ($0, false) }, plan.keyNames, of: keyed, into: &writer, limit) else {
                return false
            }
            for (name, offset) in [(",\"before\":" as StaticString, Offset.before), (",\"after\":", .after)] {
                writer.write(name)
                if isNull(statement, offset) {
                    writer.write("null")
                } else {
                    guard try write(plan.fields, plan.names, of: offset, into: &writer, limit) else { return false }
                }
            }
            writer.write(",\"at\":")
            writer.write(jsonString: RowEncoder.text(statement, column(.at)))
            writer.write(UInt8(ascii: "}"))
            return true
        } catch {
            switch error {
            case .oversize: return false
            case .malformed: throw unreadable(statement)
            }
        }
    }

    /// The size of the entry's texts and blobs in bytes: less than its JSON takes, and known without writing it.
    func payloadBytes(_ statement: SQLiteStatement) throws -> Int {
        let plan = try plan(statement)
        do throws(ImageDecoder.Failure) {
            try open(statement, plan)
            var sum = 0
            for offset in [Offset.before, .after] where !isNull(statement, offset) {
                for field in plan.fields {
                    switch try value(field.index, of: offset) {
                    case .text(let text): sum += field.isJSON ? (json(text) { $0.count } ?? text.count) : text.count
                    case .blob(let blob): sum += blob.count
                    default: break
                    }
                }
            }
            return sum
        } catch {
            switch error {
            case .oversize(let bytes): return bytes
            case .malformed: throw unreadable(statement)
            }
        }
    }

    private func plan(_ statement: SQLiteStatement) throws -> Plan {
        let capture = sqlite3_column_int64(statement, column(.capture))
        guard let plan = plans[capture] else { throw unreadable(statement) }
        return plan
    }

    private func unreadable(_ statement: SQLiteStatement) -> SourceError {
        let seq = sqlite3_column_int64(statement, column(.seq))
        return SourceError(
            .broken,
            "entry \(seq) of table 'rowtail_log' isn't what the triggers write; remove the capture and install it again"
        )
    }

    /// Finds the values of both images.
    private func open(_ statement: SQLiteStatement, _ plan: Plan) throws(ImageDecoder.Failure) {
        let (hasBefore, hasAfter) = (!isNull(statement, .before), !isNull(statement, .after))
        if hasBefore {
            try before.start(RowEncoder.text(statement, column(.before)))
            guard before.count == plan.count else { throw .malformed }
        }
        if hasAfter {
            try after.start(RowEncoder.text(statement, column(.after)))
            guard after.count == plan.count else { throw .malformed }
        }
        guard hasBefore || hasAfter else { throw .malformed }
    }

    private func value(_ index: Int, of offset: Offset) throws(ImageDecoder.Failure) -> ImageDecoder.Value {
        offset == .before ? try before.value(index) : try after.value(index)
    }

    /// Writes an object of some values of an image; false when one has more bytes than there is room for.
    private func write(
        _ fields: [(index: Int, isJSON: Bool)],
        _ names: FieldNames,
        of offset: Offset,
        into writer: inout ByteWriter,
        _ limit: Int
    ) throws(ImageDecoder.Failure) -> Bool {
        if fields.isEmpty { writer.write(UInt8(ascii: "{")) }
        for (field, range) in zip(fields, names.ranges) {
            names.bytes.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[range])) }
            let room = limit - writer.count
            switch try value(field.index, of: offset) {
            case .null: writer.write("null")
            case .integer(let value): writer.write(jsonInteger: value, as: integers)
            case .real(let value): writer.write(jsonReal: value)
            case .blob(let blob):
                guard blob.count <= room else { return false }
                writer.write(base64: blob)
            case .text(let text):
                if field.isJSON, let fits = json(text, { Self.write(json: $0, into: &writer, room) }) {
                    guard fits else { return false }
                    continue
                }
                guard text.count <= room else { return false }
                writer.write(jsonString: text)
            }
        }
        writer.write(UInt8(ascii: "}"))
        return true
    }

    private static func write(json: UnsafeRawBufferPointer, into writer: inout ByteWriter, _ room: Int) -> Bool {
        guard json.count <= room else { return false }
        writer.write(json: json)
        return true
    }

    /// Hands over the minified JSON of a text; `nil` where it is none.
    private func json<Result>(
        _ text: UnsafeRawBufferPointer,
        _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        // SQLite's JSON functions look no further than a NUL, and what comes after it would be lost.
        guard let json, let start = text.baseAddress, memchr(start, 0, text.count) == nil else { return nil }
        var result: Result?
        // An error, as for a text too large for SQLite, means that it can't be embedded.
        _ = try? json.run(text: text) { statement in
            result = body(RowEncoder.text(statement, 0))
            return false
        }
        return result
    }
}
