// SPDX-License-Identifier: Apache-2.0

/// Everything that is wrong with a configuration, found in one run.
package struct ConfigError: Error, Sendable, Equatable {
    /// What is wrong: the problems of the file by line, then those without a line, then those of overrides.
    package let problems: [Problem]

    /// Puts the problems in the order in which they are shown.
    init(_ problems: [Problem]) {
        // `sorted` keeps the order of equal elements, so problems of one line stay as they were found.
        self.problems = problems.sorted { ($0.line ?? .max) < ($1.line ?? .max) }
    }

    /// One thing that is wrong, where, and the remedy.
    package struct Problem: Sendable, Equatable {
        /// The file as it was named by the caller, or the flag or environment variable that holds the value.
        package let place: String

        /// The line in the file, counted from 1; `nil` when the problem is no line's.
        package let line: Int?

        /// The path of the key, such as `feeds.orders.table`; `nil` when the problem is no key's.
        package let keyPath: String?

        /// What is wrong and, after a semicolon, what to do about it.
        package let message: String

        init(place: String, line: Int? = nil, keyPath: String? = nil, message: String) {
            self.place = place
            self.line = line
            self.keyPath = keyPath
            self.message = message
        }
    }
}

extension ConfigError: CustomStringConvertible {
    /// The problems, one a line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

extension ConfigError.Problem: CustomStringConvertible {
    /// The problem as one line, `FILE:LINE: KEY.PATH: message; remedy`.
    package var description: String {
        let position = line.map { "\(place):\($0)" } ?? place
        return [position, keyPath, message].compactMap(\.self).joined(separator: ": ")
    }
}

extension String {
    /// The text in single quotes, fit for a message of one line: control characters escaped, long text cut.
    var quoted: String {
        "'\(printable)'"
    }

    /// The text with control characters escaped, cut after 100 characters.
    var printable: String {
        let limit = 100
        let shown = unicodeScalars.prefix(limit).map { scalar in
            scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: false) : String(scalar)
        }
        return shown.joined() + (unicodeScalars.count > limit ? "…" : "")
    }
}
