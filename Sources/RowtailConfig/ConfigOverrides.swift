// SPDX-License-Identifier: Apache-2.0

/// Values from outside the file that take the place of what it says.
///
/// A flag beats the environment, the environment beats the file. Every value knows its place, so that a message about
/// it reads `--listen: …` or `ROWTAIL_LISTEN: …`.
package struct ConfigOverrides: Sendable, Equatable {
    /// A text and where it was given.
    package struct Value: Sendable, Equatable {
        /// What was given, not yet checked.
        package let text: String

        /// The flag or environment variable it was given in.
        package let place: String
    }

    /// Takes the place of `listen`; empty when not given.
    package private(set) var listen: [Value]

    /// Takes the place of the top-level `database`.
    package private(set) var database: Value?

    /// Takes the place of `log.level`.
    package private(set) var logLevel: Value?

    /// Holds what the command line of `serve` said.
    package init(listen: [String] = [], database: String? = nil, logLevel: String? = nil) {
        self.listen = listen.map { Value(text: $0, place: "--listen") }
        self.database = database.map { Value(text: $0, place: "--database") }
        self.logLevel = logLevel.map { Value(text: $0, place: "--log-level") }
    }

    /// Fills what the command line left open from the environment, where an empty variable counts as not set.
    func filled(from environment: [String: String]) -> ConfigOverrides {
        func variable(_ name: String) -> Value? {
            guard let text = environment[name], !text.isEmpty else { return nil }
            return Value(text: text, place: name)
        }
        var filled = self
        if filled.listen.isEmpty, let value = variable("ROWTAIL_LISTEN") {
            filled.listen = [value]
        }
        filled.database = database ?? variable("ROWTAIL_DATABASE")
        filled.logLevel = logLevel ?? variable("ROWTAIL_LOG_LEVEL")
        return filled
    }
}
