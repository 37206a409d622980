// SPDX-License-Identifier: Apache-2.0

/// One thing that was looked at, and what to do about it.
package struct ProbeFinding: Sendable, Equatable, Encodable {
    /// What it means for clients, from good to bad.
    package enum Level: String, Sendable, Encodable {
        /// It is as it should be.
        case ok
        /// Worth knowing, or could not be judged.
        case note
        /// Clients get their events, and something costs them or is not safe.
        case warning
        /// Clients don't get what they should.
        case fail
    }

    /// What it means.
    package var level: Level

    /// What was looked at, in a word.
    package var topic: String

    /// What was seen.
    package var message: String

    /// What to change, the likeliest first.
    package var remedies: [String]

    /// Notes what was seen.
    package init(_ level: Level, _ topic: String, _ message: String, _ remedies: [String] = []) {
        self.level = level
        self.topic = topic
        self.message = message
        self.remedies = remedies
    }
}
