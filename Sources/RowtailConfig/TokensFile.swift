// SPDX-License-Identifier: Apache-2.0

/// Who may read what: the tokens of `auth.tokens_file`.
///
/// A line is `TOKEN [FEED…]`; `#` begins a comment where a word could begin. No message ever shows a token, nor a word that
/// might be one.
package struct TokensFile: Sendable, Equatable {
    /// What one token may read.
    package struct Entry: Sendable, Equatable {
        /// The token: visible ASCII, at least one character.
        package let token: String

        /// The feeds that it may read, known or not; `nil` for all.
        package fileprivate(set) var feeds: Set<String>?
    }

    /// The greatest size of the file, in bytes.
    static let sizeLimit = 1 << 20

    /// What can be guessed is shorter; only such words are shown in messages.
    private static let safeLength = 16

    /// Each token once, in the order of the file.
    package private(set) var entries: [Entry] = []

    /// What is odd and does no harm: `FILE:LINE: …`, or `FILE: …`.
    package private(set) var warnings: [String] = []

    /// Reads the lines of a file.
    ///
    /// - Parameters:
    ///   - bytes: What the file holds.
    ///   - path: The name in messages.
    ///   - feeds: The feeds that there are.
    /// - Throws: `ConfigError` with every line that is wrong.
    package init(_ bytes: [UInt8], path: String, feeds: [String]) throws(ConfigError) {
        var problems: [ConfigError.Problem] = []
        var places: [String: Int] = [:]
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = bytes.starts(with: byteOrderMark) ? bytes.dropFirst(byteOrderMark.count) : bytes[...]
        for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let words = Self.words(line)
            guard let first = words.first else { continue }
            let place = "\(path):\(index + 1)"
            guard words.allSatisfy({ $0.allSatisfy(\.isVisible) }) else {
                problems.append(.init(place: path, line: index + 1, message: Self.notVisible))
                continue
            }
            let token = String(decoding: first, as: UTF8.self)
            let names = words.dropFirst().map { String(decoding: $0, as: UTF8.self) }
            for (number, name) in names.enumerated() where !feeds.contains(name) {
                let shown = name.utf8.count < Self.safeLength ? name.quoted : "word \(number + 2) of the line"
                warnings.append("\(place): \(shown) is no feed; use \(feeds.joined(separator: ", "))")
            }
            if first.count < Self.safeLength {
                warnings.append(
                    "\(place): a token so short can be guessed; use one such as 'openssl rand -hex 32' gives"
                )
            }
            add(token, names.isEmpty ? nil : Set(names), &places)
        }
        guard problems.isEmpty else { throw ConfigError(problems) }
        if entries.isEmpty {
            warnings.append("\(path): there are no tokens, so nobody may read; add lines of TOKEN [FEED...]")
        }
    }

    private static let notVisible =
        "the line has characters other than visible ASCII and spaces; write TOKEN [FEED...], comments after a '#'"

    /// A line's words up to the first that begins a comment.
    private static func words(_ line: ArraySlice<UInt8>) -> ArraySlice<ArraySlice<UInt8>> {
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return words.prefix { $0.first != UInt8(ascii: "#") }
    }

    /// Adds a line's feeds to those that the token has from lines before.
    private mutating func add(_ token: String, _ feeds: Set<String>?, _ places: inout [String: Int]) {
        guard let place = places[token] else {
            places[token] = entries.count
            entries.append(Entry(token: token, feeds: feeds))
            return
        }
        if let feeds, let known = entries[place].feeds {
            entries[place].feeds = known.union(feeds)
        } else {
            entries[place].feeds = nil
        }
    }

    /// Notes what is odd about the file itself.
    mutating func warn(_ warning: String) {
        warnings.append(warning)
    }
}

extension TokensFile.Entry: CustomStringConvertible, CustomReflectable {
    /// The feeds, without the token.
    package var description: String {
        "a token of \(feeds.map { $0.sorted().joined(separator: ", ") } ?? "all feeds")"
    }

    /// Nothing, so that no dump shows the token.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension UInt8 {
    /// What HTTP calls VCHAR: printable ASCII but the space.
    fileprivate var isVisible: Bool { (0x21...0x7E).contains(self) }
}
