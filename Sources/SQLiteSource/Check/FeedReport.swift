// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// What was found out about one feed.
package struct FeedReport: Sendable {
    /// What it comes to, from best to worst.
    package enum Verdict: String, CaseIterable, Sendable, Encodable {
        /// Everything that was looked at is as it should be.
        case fine

        /// It is served, and something is not safe.
        case warnings

        /// The file or the table can't be looked at yet.
        case waiting

        /// It can't be served.
        case refused
    }

    /// The feed's name.
    package var feed: String

    /// The database file.
    package var database: String

    /// The table.
    package var table: String

    /// What the feed promises.
    package var mode: FeedMode

    /// What was found out about the database file, the same for all feeds on it.
    package var fileFindings: [Finding]

    /// What was found out about the table, in the order of looking.
    package var tableFindings: [Finding]

    /// What it comes to.
    package var verdict: Verdict {
        Verdict(fileFindings + tableFindings)
    }
}

extension FeedReport.Verdict {
    /// What findings come to: the worst of them.
    init(_ findings: [Finding]) {
        self =
            switch findings.map(\.level).max() {
            case .refused: .refused
            case .waiting: .waiting
            case .warning: .warnings
            case .advice, .verified, nil: .fine
            }
    }
}
