// SPDX-License-Identifier: Apache-2.0

extension ProbeReport {
    /// Where lines are broken.
    private static let lineWidth = 100

    /// The report for people: a line a finding, the remedies below it.
    package var text: String {
        let width = findings.map(\.topic.count).max() ?? 0
        let lines = findings.map { Self.line($0, topicWidth: width) }
        return "\(observations.target)\n\n\(lines.joined(separator: "\n"))\n\n\(summary)\n"
    }

    private var summary: String {
        let failures = findings.count { $0.level == .fail }
        let warnings = findings.count { $0.level == .warning }
        guard failures + warnings > 0 else { return "fine" }
        let parts = [(failures, "failure"), (warnings, "warning")].filter { $0.0 > 0 }
        return parts.map { Words.count($0.0, $0.1) }.joined(separator: ", ")
    }

    private static func line(_ finding: ProbeFinding, topicWidth: Int) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        /// What servers send is shown, and must not steer the terminal that shows it.
        func harmless(_ text: String) -> String {
            String(
                text.map { $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? "\u{FFFD}" : $0 }
            )
        }
        let start = "  \(padded(finding.level.rawValue, 9))\(padded(finding.topic, topicWidth))  "
        let indent = String(repeating: " ", count: start.count)
        var lines = wrapped(harmless(finding.message), lineWidth - indent.count)
        for remedy in finding.remedies {
            let more = wrapped(harmless(remedy), lineWidth - indent.count - 2)
            lines += more.enumerated().map { ($0.offset == 0 ? "- " : "  ") + $0.element }
        }
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
