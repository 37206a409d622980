// SPDX-License-Identifier: Apache-2.0

/// Everything that a check found out, for people and for machines.
package struct CheckReport: Sendable {
    /// The configuration file.
    package var config: String

    /// The name of the user that everything was looked at as.
    package var user: String

    /// What is odd about the configuration and does no harm.
    package var notices: [String]

    /// The feeds in the order of the file.
    package var feeds: [FeedReport]

    /// The databases in the order of the feeds, each with what was found out about its file and the feeds on it.
    package var databases: [(path: String, findings: [Finding], feeds: [FeedReport])] {
        var paths: [String] = []
        for feed in feeds where !paths.contains(feed.database) { paths.append(feed.database) }
        return paths.map { path in
            let feeds = feeds.filter { $0.database == path }
            return (path, feeds.first?.fileFindings ?? [], feeds)
        }
    }

    /// What it comes to: the worst of the feeds.
    package var verdict: FeedReport.Verdict {
        let verdicts = feeds.map(\.verdict) + (notices.isEmpty ? [] : [.warnings])
        return FeedReport.Verdict.allCases.last { verdicts.contains($0) } ?? .fine
    }
}

extension CheckReport {
    /// Checks feeds as the user of this process, and each database file once.
    package init(config: String, notices: [String], checks: [FeedCheck]) {
        var files: [String: [Finding]] = [:]
        let feeds = checks.map { check in
            let file = files[check.path] ?? FileCheck(path: check.path).findings()
            files[check.path] = file
            return check.run(after: file)
        }
        let user = FileCheck.name(ofUser: FileAccess.User.current.id)
        self.init(config: config, user: user, notices: notices, feeds: feeds)
    }
}
