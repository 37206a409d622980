// SPDX-License-Identifier: Apache-2.0

/// The SQL that follows one table: keyset pages on the watermark's index.
///
/// With `n` columns in the order, `?1` to `?n` are the position before a page, the next `n` the last one of it, and the
/// parameter after them how many rows it has at most. Where there are several queries, their rows follow each other. Every
/// name is qualified, so that a name that went away is an error and never reads as a string.
struct TableQueries: Sendable {
    /// The newest row's position.
    let newest: String
    /// The oldest row's position.
    let oldest: String
    /// The page after a position: with a key, first the rest of the rows with its watermark.
    let pageAfter: [String]
    /// The page from the first row, with the same parameters.
    let firstPage: [String]
    /// With a filter: the positions that the page after one looks at.
    let spanAfter: [String]
    /// The same from the first row.
    let firstSpan: [String]
    /// The positions of the newest rows up to `?1`, newest first; the parameter after it bounds their number.
    let newestRows: [String]
    /// The newest position with a watermark up to `?1`.
    let newestUpTo: String
    /// The least watermark past `?1`.
    let nextWatermark: String
    /// How many rows have a watermark past `?1`, counted up to `?2`.
    let countPast: String
    /// All columns of the newest row with a watermark up to `?1`, the position first.
    let rowUpTo: String
    /// All columns of the row with a key, the position first.
    let rowAt: String
    /// A query of nothing but the filter, where there is one.
    let filterAlone: String?
    /// The filter where no parenthesis of its own could close another's: what compiles here and in parentheses is one
    /// expression.
    let filterBare: String?
    /// The greatest watermark ever given out.
    let sequence: String

    /// The names of the columns of an event, each with the index of its result column and of its JSON twin.
    let fields: [(name: String, column: Int, jsonColumn: Int?)]
    /// The names of the columns that ``rowUpTo`` and ``rowAt`` return after the position.
    let anchorColumns: [String]

    /// Writes the queries for a table.
    init(_ watched: WatchedTable, _ schema: TableSchema) {
        let table = "main.\(Self.quoted(schema.table))"
        func column(_ name: String) -> String { "\(table).\(Self.quoted(name))" }
        let order = schema.order
        let count = order.count
        let position = order.results(of: table).joined(separator: ", ")
        let mark = order.watermark(of: table)
        let ascending = order.sorted(table)
        let descending = order.sorted(table, descending: true)
        let isThrough = order.compare("<=", from: count + 1, of: table)

        let names = (watched.columns ?? schema.columns).map { wanted in
            schema.columns.first { TableInspector.equal($0, wanted) } ?? wanted
        }
        var results = order.results(of: table)
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
        filterBare = watched.filter.map { "SELECT CASE WHEN \($0)\nTHEN 1 END FROM \(table)" }

        newest = "SELECT \(position) FROM \(table) \(descending) LIMIT 1"
        oldest = "SELECT \(position) FROM \(table) \(ascending) LIMIT 1"
        // SQLite finds the place of a row value in an index on its first column alone, and a rowid is never another: with
        // many rows of one time, each page would read all of them again.
        let after =
            order.isKeyed
            ? ["\(mark) = ?1 AND \(order.compareKey(">", of: table))", "\(mark) > ?1"]
            : [order.compare(">", from: 1, of: table)]
        let upTo =
            order.isKeyed
            ? ["\(mark) = ?1 AND \(order.compareKey("<=", of: table))", "\(mark) < ?1"]
            : [order.compare("<=", from: 1, of: table)]
        func page(_ results: String, _ conditions: [String], _ filter: String) -> [String] {
            conditions.map {
                "SELECT \(results) FROM \(table) WHERE \($0)\(filter) \(ascending) LIMIT ?\(2 * count + 1)"
            }
        }
        pageAfter = page(list, after.map { "\($0) AND \(isThrough)" }, filter)
        firstPage = page(list, [isThrough], filter)
        spanAfter = page(position, after.map { "\($0) AND \(isThrough)" }, "")
        firstSpan = page(position, [isThrough], "")
        newestRows = upTo.map { "SELECT \(position) FROM \(table) WHERE \($0) \(descending) LIMIT ?\(count + 1)" }
        newestUpTo = "SELECT \(position) FROM \(table) WHERE \(mark) <= ?1 \(descending) LIMIT 1"
        nextWatermark = "SELECT \(mark) FROM \(table) WHERE \(mark) > ?1 ORDER BY \(mark) LIMIT 1"
        countPast = "SELECT count(*) FROM (SELECT 1 FROM \(table) WHERE \(mark) > ?1 LIMIT ?2)"

        anchorColumns = schema.columns.filter { name in
            !order.columns.contains { TableInspector.equal($0.name, name) }
        }
        let anchor = (order.results(of: table) + anchorColumns.map(column)).joined(separator: ", ")
        rowUpTo = "SELECT \(anchor) FROM \(table) WHERE \(mark) <= ?1 \(descending) LIMIT 1"
        rowAt = "SELECT \(anchor) FROM \(table) WHERE \(order.isKey(from: 1, of: table))"
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
