// SPDX-License-Identifier: Apache-2.0

import RowtailCore

extension CheckReport {
    /// The report for people: for each database a block on its file, then one on each feed on it, a line a finding, the
    /// remedy and the SQL to copy below it.
    package var text: String {
        var blocks = ["\(config), examined as user \(user)"]
        if !notices.isEmpty {
            blocks.append(
                notices.map { Finding(.warning, "configuration", $0).text(topicWidth: 13) }.joined(separator: "\n")
            )
        }
        for (path, findings, feeds) in databases {
            if !findings.isEmpty { blocks.append(Self.block("database  \(path)", findings)) }
            blocks += feeds.map { feed in
                let title = "\(feed.feed)  \(feed.mode.rawValue)  \(feed.database)  table \(feed.table)"
                return Self.block(title, feed.tableFindings, refused: feed.verdict == .refused)
            }
        }
        return (blocks + [summary]).joined(separator: "\n\n") + "\n"
    }

    /// A title with what the findings below it come to; a feed is also refused for its file.
    private static func block(_ title: String, _ findings: [Finding], refused: Bool = false) -> String {
        let verdict = refused ? .refused : FeedReport.Verdict(findings)
        let warnings = findings.count { $0.level == .warning }
        let outcome = verdict == .warnings ? "\(warnings) \(warnings == 1 ? "warning" : "warnings")" : verdict.rawValue
        let width = findings.map(\.topic.count).max() ?? 0
        return (["\(title): \(outcome)"] + findings.map { $0.text(topicWidth: width) }).joined(separator: "\n")
    }

    private var summary: String {
        let counts = FeedReport.Verdict.allCases.compactMap { verdict -> String? in
            let count = feeds.count { $0.verdict == verdict }
            return count == 0 ? nil : "\(count) \(verdict == .warnings ? "with warnings" : verdict.rawValue)"
        }
        return "\(feeds.count) \(feeds.count == 1 ? "feed" : "feeds"): \(counts.joined(separator: ", "))"
    }
}

extension Finding {
    /// Where lines are broken, but for SQL, which is to be copied.
    private static let lineWidth = 100

    fileprivate func text(topicWidth: Int) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        let label = level == .verified ? "ok" : level.rawValue
        let start = "  \(padded(label, 10))\(padded(topic, topicWidth))  "
        let indent = String(repeating: " ", count: start.count)
        let width = Self.lineWidth - indent.count
        var lines = Self.wrapped(message, width)
        if let remedy { lines += Self.wrapped("remedy: \(remedy)", width) }
        if let sql { lines.append(sql) }
        return start + lines.joined(separator: "\n\(indent)")
    }

    private static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].count + 1 + word.count > width {
                lines.append("")
            }
            lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
        }
        return lines
    }
}
