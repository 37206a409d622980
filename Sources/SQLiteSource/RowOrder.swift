// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite
import RowtailCore

/// The columns that order a feed's rows: the watermark, and in `updated` mode the key after it.
///
/// Every condition compares them as one row value, never column by column (SQLite, "Row Values", section 2.1), and by the
/// BINARY collation, which is that of positions.
struct RowOrder: Sendable {
    /// A column and whether it has the BINARY collation anyway, so that its index serves.
    struct Column: Sendable {
        var name: String
        var isBinary: Bool
    }

    /// The columns, the watermark first.
    var columns: [Column]

    /// Whether a position has a key.
    var isKeyed: Bool { columns.count > 1 }

    /// How many parameters a position takes.
    var count: Int { columns.count }

    /// The columns as results of a query.
    func results(of table: String) -> [String] {
        columns.map { "\(table).\(TableQueries.quoted($0.name))" }
    }

    private func terms(of table: String) -> [String] {
        zip(results(of: table), columns).map { $1.isBinary ? $0 : "\($0) COLLATE BINARY" }
    }

    /// The watermark as a term of a condition.
    func watermark(of table: String) -> String {
        terms(of: table)[0]
    }

    /// A comparison of the order's columns with parameters, of which `first` is the number of the first.
    func compare(_ operation: String, from first: Int, of table: String) -> String {
        let terms = terms(of: table)
        guard isKeyed else { return "\(terms[0]) \(operation) ?\(first)" }
        let parameters = terms.indices.map { "?\(first + $0)" }
        return "(\(terms.joined(separator: ", "))) \(operation) (\(parameters.joined(separator: ", ")))"
    }

    /// The comparison of the key alone with the parameters after `?1`.
    func compareKey(_ operation: String, of table: String) -> String {
        RowOrder(columns: Array(columns.dropFirst())).compare(operation, from: 2, of: table)
    }

    /// The key alone equal to parameters; of the watermark where there is no key.
    func isKey(from first: Int, of table: String) -> String {
        let skipped = isKeyed ? 1 : 0
        let pairs = zip(zip(results(of: table), terms(of: table)).dropFirst(skipped), first...)
        // The column's own index finds those that are equal by its own collation.
        return pairs.map { column, parameter in
            let (name, term) = column
            return name == term ? "\(name) = ?\(parameter)" : "\(name) = ?\(parameter) AND \(term) = ?\(parameter)"
        }.joined(separator: " AND ")
    }

    /// The order itself.
    func sorted(_ table: String, descending: Bool = false) -> String {
        let terms = terms(of: table)
        return "ORDER BY " + terms.map { descending ? "\($0) DESC" : $0 }.joined(separator: ", ")
    }

    /// A position's values as arguments; `nil`s before the first row.
    func arguments(_ position: Position) -> [KeyValue?] {
        switch position {
        case .earliest: Array(repeating: nil, count: count)
        case .integer(let value): [.integer(value)]
        case .row(let row): row.values.map(Optional.some)
        }
    }

    /// The values that ``isKey(from:of:)`` compares with.
    func keyArguments(_ position: Position) -> [KeyValue?] {
        isKeyed ? Array(arguments(position).dropFirst()) : arguments(position)
    }

    /// Whether a position is of this order.
    func fits(_ position: Position) -> Bool {
        switch position {
        case .earliest: true
        case .integer: !isKeyed
        case .row(let row): isKeyed && row.values.count == count
        }
    }
}

extension KeyValue {
    /// The value of a result column; `nil` for NULL.
    init?(_ statement: SQLiteStatement, _ column: CInt) {
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: self = .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: self = .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT: self = .text(Array(RowEncoder.text(statement, column)))
        case SQLITE_BLOB: self = .blob(Array(RowEncoder.blob(statement, column)))
        default: return nil
        }
    }

    /// The value as people read it in a message.
    var quoted: String {
        switch self {
        case .integer(let value): String(value)
        case .real(let value): "\(value)"
        case .text(let bytes): "'\(String(decoding: bytes.prefix(64), as: UTF8.self))'"
        case .blob(let bytes): "a BLOB of \(bytes.count) bytes"
        }
    }
}
