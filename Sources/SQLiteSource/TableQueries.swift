// SPDX-License-Identifier: Apache-2.0

/// The SQL that follows one table in `append` mode: keyset pages on the watermark's index.
///
/// Every name is qualified, so that a name that went away is an error and never reads as a string.
struct TableQueries: Sendable {
    /// The newest row's watermark.
    let newest: String
    /// The oldest row's watermark.
    let oldest: String
    /// The page after `?1`, through `?2`, of `?3` rows at most.
    let pageAfter: String
    /// The page from the first row, through `?2`.
    let firstPage: String
    /// With a filter: the last watermark and the number of rows that a page after `?1` looks at.
    let spanAfter: String
    /// The same from the first row.
    let firstSpan: String
    /// The watermark of the row that is `?2` rows before the newest one up to `?1`.
    let beforeNewest: String
    /// All columns of the newest row up to `?1`, the watermark first.
    let rowUpTo: String
    /// All columns of the row at `?1`, the watermark first.
    let rowAt: String
    /// A query of nothing but the filter, where there is one.
    let filterAlone: String?
    /// The greatest watermark ever given out.
    let sequence: String

    /// The names of the columns of an event, each with the index of its result column and of its JSON twin.
    let fields: [(name: String, column: Int, jsonColumn: Int?)]
    /// The names of the columns that ``rowUpTo`` and ``rowAt`` return after the watermark.
    let anchorColumns: [String]

    /// Writes the queries for a table.
    init(_ watched: WatchedTable, _ schema: TableSchema) {
        let table = "main.\(Self.quoted(schema.table))"
        func column(_ name: String) -> String { "\(table).\(Self.quoted(name))" }
        let mark = column(schema.watermark)

        let names = (watched.columns ?? schema.columns).map { wanted in
            schema.columns.first { TableInspector.equal($0, wanted) } ?? wanted
        }
        var results = [mark]
        fields = names.map { name in
            results.append(column(name))
            let index = results.count - 1
            guard watched.jsonColumns.contains(where: { TableInspector.equal($0, name) }) else {
                return (name, index, nil)
            }
            let value = column(name)
            // json() takes the line breaks out, which would end the data line.
            results.append("CASE WHEN typeof(\(value)) = 'text' AND json_valid(\(value)) THEN json(\(value)) END")
            return (name, index, index + 1)
        }
        let list = results.joined(separator: ", ")
        let filter = watched.filter.map { " AND (\($0)\n)" } ?? ""
        filterAlone = watched.filter.map { "SELECT 1 FROM \(table) WHERE (\($0)\n)" }
        let order = "ORDER BY \(mark)"

        newest = "SELECT \(mark) FROM \(table) \(order) DESC LIMIT 1"
        oldest = "SELECT \(mark) FROM \(table) \(order) LIMIT 1"
        pageAfter = "SELECT \(list) FROM \(table) WHERE \(mark) > ?1 AND \(mark) <= ?2\(filter) \(order) LIMIT ?3"
        firstPage = "SELECT \(list) FROM \(table) WHERE \(mark) <= ?2\(filter) \(order) LIMIT ?3"
        func span(_ condition: String) -> String {
            "SELECT max(m), count(*) FROM (SELECT \(mark) AS m FROM \(table) WHERE \(condition) \(order) LIMIT ?3)"
        }
        spanAfter = span("\(mark) > ?1 AND \(mark) <= ?2")
        firstSpan = span("\(mark) <= ?2")
        beforeNewest = "SELECT \(mark) FROM \(table) WHERE \(mark) <= ?1 \(order) DESC LIMIT 1 OFFSET ?2"

        anchorColumns = schema.columns.filter { !TableInspector.equal($0, schema.watermark) }
        let anchor = ([mark] + anchorColumns.map(column)).joined(separator: ", ")
        rowUpTo = "SELECT \(anchor) FROM \(table) WHERE \(mark) <= ?1 \(order) DESC LIMIT 1"
        rowAt = "SELECT \(anchor) FROM \(table) WHERE \(mark) = ?1"
        sequence = "SELECT seq FROM main.sqlite_sequence WHERE name = \(Self.literal(schema.table))"
    }

    /// A name as an SQL identifier.
    static func quoted(_ name: String) -> String {
        doubling("\"", in: name)
    }

    /// A text as an SQL literal.
    static func literal(_ text: String) -> String {
        doubling("'", in: text)
    }

    /// A text between quotes, with those inside written twice; scalar by scalar, as a quote and a combining accent are
    /// one character to Swift and two to SQLite.
    private static func doubling(_ quote: Unicode.Scalar, in text: String) -> String {
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in text.unicodeScalars {
            if scalar == quote { result.append(quote) }
            result.append(scalar)
        }
        result.append(quote)
        return String(result)
    }
}
