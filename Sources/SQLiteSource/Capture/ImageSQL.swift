// SPDX-License-Identifier: Apache-2.0

/// The SQL that writes a row, or a value, as text that reads back exactly: an *image*.
///
/// One value per column, joined by commas, in the words of SQLite's `quote()`: `NULL`, `42`, `1.5`, `'it''s'`, `X'00FF'`. Where
/// `quote()` is not exact, more is written (``ImageDecoder`` reads it):
/// - `TX'…'`: a text with a NUL inside, at which `quote()` ends, as its bytes in the database's encoding; so is a text that
///   is no valid text in that encoding.
/// - `0.1234567&7.4e-9`: a REAL and the lower half of its digits, see ``real(_:)``.
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
    /// their 15 digits. Others are followed by their lower 26 bits (Veltkamp, Dekker 1971), which few digits determine, and
    /// which tell the number from its neighbours. That overflows from 10^300 on and is `NULL` then.
    private static func real(_ column: String) -> String {
        // 2^27 + 1.
        let product = "\(column)*134217729.0"
        return
            "quote(\(column))||CASE WHEN \(column) BETWEEN -1e9 AND 1e9 AND round(\(column)*1e6)/1e6=\(column) THEN '' "
            + "ELSE '&'||quote(\(column)-(\(product)-(\(product)-\(column)))) END"
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
