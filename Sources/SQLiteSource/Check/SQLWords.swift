// SPDX-License-Identifier: Apache-2.0

/// The words of an SQL text: names and keywords as they stand, without comments and literals.
///
/// Source: SQLite, "SQL As Understood By SQLite" (comments; keywords, for the four ways to quote a name).
struct SQLWords {
    /// One word, or one sign that is none.
    struct Word: Equatable {
        var text: String
        /// Whether it stands in quotes, and so is a name and no keyword.
        var isQuoted: Bool
    }

    let words: [Word]

    init(_ sql: String) {
        var words: [Word] = []
        var rest = Substring(sql).unicodeScalars
        while let scalar = rest.first {
            if rest.starts(with: "--".unicodeScalars) {
                rest = rest.drop { $0 != "\n" }
            } else if rest.starts(with: "/*".unicodeScalars) {
                rest = rest.dropFirst(2)
                while !rest.isEmpty, !rest.starts(with: "*/".unicodeScalars) { rest = rest.dropFirst() }
                rest = rest.dropFirst(2)
            } else if let end = Self.closing(scalar) {
                let text = Self.takeQuoted(&rest, until: end)
                if scalar != "'" { words.append(Word(text: text, isQuoted: true)) }
            } else if Self.isNamePart(scalar) {
                let name = rest.prefix(while: Self.isNamePart)
                words.append(Word(text: String(name), isQuoted: false))
                rest = rest.dropFirst(name.count)
            } else {
                if !scalar.properties.isWhitespace { words.append(Word(text: String(scalar), isQuoted: false)) }
                rest = rest.dropFirst()
            }
        }
        self.words = words
    }

    /// Whether keywords stand in a row.
    func contain(_ keywords: String...) -> Bool {
        words.indices.contains { matches(keywords, at: $0) }
    }

    /// The names that follow keywords, each without its schema.
    func names(after keywords: String...) -> [String] {
        words.indices.filter { matches(keywords, at: $0) }.compactMap { start in
            var index = start + keywords.count
            if index + 2 < words.count, words[index + 1].text == "." { index += 2 }
            return index < words.count ? words[index].text : nil
        }
    }

    private func matches(_ keywords: [String], at index: Int) -> Bool {
        index + keywords.count <= words.count
            && zip(keywords, words[index...]).allSatisfy { !$1.isQuoted && TableInspector.equal($0, $1.text) }
    }

    private static func closing(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        switch scalar {
        case "'", "\"", "`": scalar
        case "[": "]"
        default: nil
        }
    }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar == "$" || scalar.value >= 0x80 || scalar.properties.isAlphabetic
            || ("0"..."9").contains(scalar)
    }

    /// Takes a quoted text; the closing quote stands in it when it is written twice, but for a bracket.
    private static func takeQuoted(
        _ rest: inout Substring.UnicodeScalarView,
        until end: Unicode.Scalar
    ) -> String {
        var text = String.UnicodeScalarView()
        rest = rest.dropFirst()
        while let scalar = rest.first {
            rest = rest.dropFirst()
            if scalar == end {
                guard end != "]", rest.first == end else { break }
                rest = rest.dropFirst()
            }
            text.append(scalar)
        }
        return String(text)
    }
}
