// SPDX-License-Identifier: Apache-2.0

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
        guard let columns else { return }
        // SQLite compares the names of columns without regard to ASCII case.
        let known = Set(columns.map { $0.lowercased() })
        for column in jsonColumns where !known.contains(column.lowercased()) {
            section.report("\(column.quoted) is not in columns; add it there or remove it here", key: "json_columns")
        }
    }
}
