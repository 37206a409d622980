// SPDX-License-Identifier: Apache-2.0

/// The SQL that writes a row, or a value, as text that reads back exactly: an *image*.
///
/// One value per column, joined by commas, in the words of SQLite's `quote()`: `NULL`, `42`, `1.5`, `'it''s'`, `X'00FF'`. Where
/// `quote()` is not exact, more is written (``ImageDecoder`` reads it):
/// - `TX'…'`: a text with a NUL inside, at which `quote()` ends, as its bytes in the database's encoding; so is a text that
///   is no valid text in that encoding.
/// - `1.25&3.4e-9`: a REAL as the sum of two numbers of half its digits, see ``real(_:)``; `*1.25&3.4e-9`: 2^30 times that.
/// - `O67108865`: instead of the whole image, for a row whose texts and blobs have so many bytes, more than any event may have.
///   Past 10^9 bytes `quote()` and `||` would fail, and with them the statement of the application.
///
/// Nothing here is newer than SQLite 3.7, as the triggers run in the application's SQLite.
enum ImageSQL {
    /// The most bytes of texts and blobs that a row is logged with: the largest `max_event_bytes`.
    static let mostBytes = 64 << 20

    /// The image of a row.
    ///
    /// - Parameters:
    ///   - columns: The columns in the order of the image.
    ///   - row: `NEW`, `OLD` or the alias of a table.
    /// - Returns: The expression.
    static func image(_ columns: [CapturedTable.Column], of row: String) -> String {
        let values = balanced(columns.map { value(reference($0.name, of: row), $0.content) }, joinedBy: "||','||")
        let sized = columns.filter { $0.content != .integers }
        guard !sized.isEmpty else { return values }
        let bytes = balanced(sized.map { size(reference($0.name, of: row)) }, joinedBy: "+")
        return "CASE WHEN \(bytes)>\(mostBytes) THEN 'O'||(\(bytes)) ELSE \(values) END"
    }

    /// A column of `NEW`, `OLD` or an alias; qualified, so that a name that went away is an error and no string.
    static func reference(_ column: String, of row: String) -> String {
        "\(row).\(TableQueries.quoted(column))"
    }

    /// One value of an image.
    static func value(_ column: String, _ content: CapturedTable.Content = .anything) -> String {
        let text = "WHEN 'text' THEN \(text(column)) "
        return switch content {
        case .integers: "quote(\(column))"
        case .noNumbers: "CASE typeof(\(column)) \(text)ELSE quote(\(column)) END"
        case .anything: "CASE typeof(\(column)) \(text)WHEN 'real' THEN \(real(column)) ELSE quote(\(column)) END"
        }
    }

    /// A text: what `substr` leaves of it ends at the first NUL, as `quote()` does.
    private static func text(_ column: String) -> String {
        let blob = "CAST(\(column) AS BLOB)"
        return "CASE WHEN \(blob)=CAST(substr(\(column),1,length(\(column))) AS BLOB) THEN quote(\(column)) "
            + "ELSE 'T'||quote(\(blob)) END"
    }

    /// A REAL.
    ///
    /// Old versions of `quote()` write 15 digits where their own reading of them gives the number back, and that reading
    /// is off by one unit in the last place for one number in some thousand. Numbers of up to six decimals below 10^9
    /// are exact all the same: they are what IEEE division of an integer by 10^6 gives, and so is any correct reading of
    /// their 15 digits. Others are split (Veltkamp, Dekker 1971) into two of at most 27 bits, which 10 digits determine.
    private static func real(_ column: String) -> String {
        let decimal =
            "\(column)<1e9 AND \(column)>-1e9 AND "
            + "CAST(\(column)*1e6+CASE WHEN \(column)<0 THEN -0.5 ELSE 0.5 END AS INTEGER)/1e6=\(column)"
        return
            "CASE WHEN \(decimal) THEN quote(\(column)) WHEN \(column)<1e290 AND \(column)>-1e290 THEN \(split(column)) "
            // Infinity less itself is NULL to SQLite.
            + "WHEN \(column)-\(column) IS NULL THEN quote(\(column)) "
            + "ELSE '*'||\(split("(\(column)/1073741824.0)")) END"
    }

    /// A number as two: its upper 26 bits, and the rest.
    private static func split(_ number: String) -> String {
        // 2^27 + 1.
        let product = "\(number)*134217729.0"
        let upper = "(\(product)-(\(product)-\(number)))"
        return "quote(\(upper))||'&'||quote(\(number)-\(upper))"
    }

    /// How many bytes a value's text or blob has; nothing is copied to find out.
    private static func size(_ column: String) -> String {
        "CASE typeof(\(column)) WHEN 'text' THEN length(CAST(\(column) AS BLOB)) WHEN 'blob' THEN length(\(column)) ELSE 0 END"
    }

    /// Terms joined as a balanced tree, as SQLite refuses expressions more than 1000 deep.
    private static func balanced(_ terms: [String], joinedBy separator: String) -> String {
        guard terms.count > 1 else { return terms.first ?? "''" }
        let middle = terms.count / 2
        let (left, right) = (Array(terms[..<middle]), Array(terms[middle...]))
        return "(\(balanced(left, joinedBy: separator))\(separator)\(balanced(right, joinedBy: separator)))"
    }
}
