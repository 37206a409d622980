// SPDX-License-Identifier: Apache-2.0

import RowtailCore

// What no value can be judged by alone: checks of keys against each other.

extension RowtailConfig {
    /// Reports a configuration that would serve nothing.
    func validateFeeds(in root: inout SectionReader) {
        // A file that is no mapping, or feeds that are none, have been reported.
        let isKnown = root.problems.contains { $0.keyPath == nil || $0.keyPath == "feeds" }
        guard feeds.isEmpty, !isKnown else { return }
        root.report("no feed is configured; add one, such as 'feeds: {orders: {table: orders}}'", key: "feeds")
    }
}

extension RowtailConfig {
    /// Reports sockets of systemd that two entries of the list would take.
    func validateListen(in root: inout SectionReader) {
        guard listen.contains(.activated(name: nil)) else { return }
        for case .activated(let name?) in listen {
            root.report("'systemd' takes the socket '\(name.printable)' as well; remove one of the two", key: "listen")
        }
    }
}

extension RowtailConfig.Auth {
    /// Reports ways to give tokens where there are none.
    func validate(in section: inout SectionReader) {
        guard !section.has("tokens_file") else { return }
        if allowQueryToken {
            section.report("there are no tokens to give; set tokens_file or set it to false", key: "allow_query_token")
        }
        if cookie != nil {
            section.report("there are no tokens to give; set tokens_file or remove the key", key: "cookie")
        }
    }
}

extension RowtailConfig.TLS {
    /// Reports one file without the other.
    static func validate(in section: inout SectionReader) {
        let keys = ["certificate", "private_key"]
        for (key, other) in [(keys[0], keys[1]), (keys[1], keys[0])] where section.has(key) && !section.has(other) {
            section.report("\(other) is missing; set both, or remove it", key: key)
        }
    }
}

extension RowtailConfig.CORS {
    /// Reports what browsers would refuse.
    func validate(in section: inout SectionReader) {
        guard allowCredentials, allowedOrigins.contains("*") else { return }
        section.report(
            "browsers refuse credentials where '*' is allowed; name the origins or set it to false",
            key: "allow_credentials"
        )
    }
}

extension RowtailConfig.Feed {
    /// Reports a name that can't stand in a URL, a missing database and columns that would never be read.
    func validate(in section: inout SectionReader, hasDefaultDatabase: Bool) {
        do {
            _ = try ValueParser.feedName.parse(ScalarText(text: name, isPlain: true))
        } catch {
            section.report(error.message)
        }
        if !hasDefaultDatabase, !section.has("database") {
            section.report("no database is given; set it here, or for all feeds as 'database' at the top")
        }
        validateMode(in: &section)
        guard let columns else { return }
        // SQLite compares the names of columns without regard to ASCII case.
        let known = Set(columns.map { $0.lowercased() })
        for column in jsonColumns where !known.contains(column.lowercased()) {
            section.report("\(column.quoted) is not in columns; add it there or remove it here", key: "json_columns")
        }
    }

    /// Reports keys that the mode needs, and those that it could not heed.
    private func validateMode(in section: inout SectionReader) {
        switch mode {
        case .append:
            break
        case .updated:
            guard watermark == nil, !section.has("watermark") else { return }
            section.report(
                "mode 'updated' needs the column that says when a row was written; set watermark to it",
                key: section.has("mode") ? "mode" : nil
            )
        case .log:
            let remedy = "mode 'log' follows what was captured in the order of the commits; remove the key"
            if section.has("watermark") { section.report(remedy, key: "watermark") }
            if section.has("where") { section.report(remedy, key: "where") }
        }
    }
}

extension RowtailConfig.Capture {
    /// Reports an interval that would have nothing to do.
    func validate(in section: inout SectionReader) {
        guard section.has("prune_interval"), !section.has("retention_age"), !section.has("retention_rows") else {
            return
        }
        section.report(
            "without a bound nothing is ever deleted; set retention_age or retention_rows",
            key: "prune_interval"
        )
    }
}

extension RowtailConfig {
    /// What is odd about the configuration, as far as the file tells: see ``warnings(activated:)``.
    package var warnings: [String] { warnings(activated: []) }

    /// What is odd about the configuration and doesn't keep it from being served.
    ///
    /// These are what ``exposureWarning(activated:)`` says, keys that mean nothing in their feed's mode, and what is odd
    /// about the tokens, once they were read.
    ///
    /// - Parameter activated: Where the sockets listen that systemd passed.
    /// - Returns: One sentence each, with the remedy.
    package func warnings(activated: [String]) -> [String] {
        let defaults = Feed(name: "", database: "")
        let idle = feeds.flatMap { feed in
            var keys: [String] = []
            if feed.mode == .append, feed.key != nil { keys.append("key") }
            if feed.mode != .updated, feed.settle != defaults.settle { keys.append("settle") }
            if feed.mode != .log, feed.capture != defaults.capture { keys.append("capture") }
            return keys.map { key in
                "feeds.\(feed.name).\(key) means nothing in mode '\(feed.mode.rawValue)'; remove it or change the mode"
            }
        }
        return [exposureWarning(activated: activated)].compactMap(\.self) + idle + (auth.tokens?.warnings ?? [])
    }
}
