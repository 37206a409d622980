// SPDX-License-Identifier: Apache-2.0

/// One thing that was looked at, and what came of it.
package struct Finding: Hashable, Sendable, Encodable {
    /// What a finding means for the feed, from good to bad.
    package enum Level: String, CaseIterable, Comparable, Sendable, Encodable {
        /// It is as it should be.
        case verified

        /// Worth knowing; nothing has to be done.
        case advice

        /// The feed is served, and something is not safe.
        case warning

        /// There is nothing to look at yet.
        case waiting

        /// The feed can't be served.
        case refused

        /// Whether one is less serious than another.
        package static func < (one: Self, other: Self) -> Bool {
            (allCases.firstIndex(of: one) ?? 0) < (allCases.firstIndex(of: other) ?? 0)
        }
    }

    /// What it means for the feed.
    package var level: Level

    /// What was looked at, in a word.
    package var topic: String

    /// What was found.
    package var message: String

    /// What to do about it, where something is to be done.
    package var remedy: String?

    /// SQL that mends it, to copy.
    package var sql: String?

    /// Notes what was found.
    package init(_ level: Level, _ topic: String, _ message: String, remedy: String? = nil, sql: String? = nil) {
        self.level = level
        self.topic = topic
        self.message = message
        self.remedy = remedy
        self.sql = sql
    }

    /// Notes a refusal in the words that the daemon has for it.
    init(_ error: SourceError, _ topic: String, sql: String? = nil) {
        let parts = error.message.split(separator: "; ", maxSplits: 1).map(String.init)
        self.init(
            error.code == .broken ? .refused : .waiting,
            topic,
            parts.first ?? error.message,
            remedy: parts.count > 1 ? parts[1] : nil,
            sql: sql
        )
    }

    /// What was found and what to do about it, as one sentence.
    package var sentence: String {
        remedy.map { "\(message); \($0)" } ?? message
    }
}
