// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// Which texts are a filter: one expression, that leaves the query around it as it is.
@Suite(.timeLimit(.minutes(1))) struct FilterTests {
    private static let table = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT);"
    private static let rows = "INSERT INTO t (kind) VALUES ('a'), (')'), ('b'), ('a) OR (b')"

    private static func watched(_ filter: String) -> WatchedTable {
        WatchedTable(feed: "t", table: "t", filter: filter)
    }

    @Test(arguments: [
        "id = 1) OR (id = 2",
        "id = 1) OR (1",
        "(id = 1)) OR ((id = 2)",
        "kind = ')' ) OR (id > 0",
        "id = 1) --",
        "id = 1) /*",
        "id = 1) OR (id = 2) --",
        "id IN (SELECT 1)) UNION ALL SELECT id, id, kind FROM t WHERE (1",
        "1) ORDER BY (id",
        "1) GROUP BY (id",
        "id = 1); SELECT (2",
        "id = 1 -- one\n) OR (id = 2",
        "id = 1 THEN 1 WHEN id = 2",
        "id = 1, id = 2",
        "id = 1;",
        "(id = 1",
        "id = 1)",
        "id = '1",
        "",
    ])
    func `a text that isn't one expression is refused, as other mistakes are`(filter: String) async throws {
        let database = try TemporaryDatabase(Self.table + Self.rows)
        let watch = await WatchedFile(database.path, Self.watched(filter))
        try await watch.poll()
        let reason = try #require(watch.state.reason)
        #expect(reason.hasPrefix("table 't' can't be read: "))
        #expect(reason.hasSuffix("; correct feeds.t.where"))
        let findings = CheckTableTests.report(database, Self.watched(filter)).tableFindings
        #expect(findings.map(\.topic) == ["query"] && findings[0].level == .refused, "\(findings)")
        #expect("\(findings[0].message); \(findings[0].remedy ?? "")" == reason)
    }

    @Test(arguments: [
        ("id = 1 -- comment)", ["1"]),
        ("id = 1 -- ) OR (id = 2", ["1"]),
        ("id = 1 /* ) OR ( */", ["1"]),
        ("(id = 1) OR (id = 2)", ["1", "2"]),
        ("((id)) IN (1, (2))", ["1", "2"]),
        ("kind = ')'", ["2"]),
        ("kind = 'a) OR (b'", ["4"]),
        ("kind = 'a' OR kind LIKE '%)%'\n", ["1", "2", "4"]),
        ("CASE WHEN id = 1 THEN 0 ELSE id < 3 END", ["2"]),
        ("EXISTS (SELECT 1 FROM t AS other WHERE other.id = t.id + 1 AND other.kind = 'b')", ["2"]),
        ("(SELECT count(*) FROM t AS other WHERE other.id < t.id) = 2", ["3"]),
        ("\"kind\" = 'b'", ["3"]),
        ("NOT id BETWEEN 1 AND 3", ["4"]),
    ])
    func `comments, strings and parentheses that are in order may be anywhere`(
        filter: String,
        ids: [String]
    ) async throws {
        let database = try TemporaryDatabase(Self.table)
        let watch = await WatchedFile(database.path, Self.watched(filter), keeping: database)
        try await watch.poll()
        let client = watch.follow()
        try database.execute(Self.rows)
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ids)
        // No row comes again.
        try database.execute("INSERT INTO t (kind) VALUES ('none of them')")
        try await watch.poll()
        #expect(try await client.take().allSatisfy { $0 == "5" })
    }
}
