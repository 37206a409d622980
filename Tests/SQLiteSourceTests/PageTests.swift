// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// What a page holds: filters, chosen columns, bounds of rows and bytes, rows too large.
@Suite(.timeLimit(.minutes(1))) struct PageTests {
    private static let letters =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, kind TEXT, payload TEXT);"

    private static func fill(_ count: Int, kind: String = "a", payload: String = "'x'", from first: Int = 1) -> String {
        """
        WITH RECURSIVE n(i) AS (SELECT \(first) UNION ALL SELECT i + 1 FROM n WHERE i < \(first + count - 1))
        INSERT INTO t SELECT i, '\(kind)', \(payload) FROM n;
        """
    }

    private static func watch(
        _ rows: String,
        tailBytes: Int = 8 << 20,
        isListenedTo: Bool = true,
        _ configure: (inout WatchedTable) -> Void = { _ in }
    ) async throws -> (TemporaryDatabase, WatchedFile) {
        let database = try TemporaryDatabase(letters + rows)
        var watched = WatchedTable(feed: "t", table: "t")
        configure(&watched)
        let watch = await WatchedFile(
            database.path,
            watched,
            tailBytes: tailBytes,
            keeping: database,
            isListenedTo: isListenedTo
        )
        try await watch.poll()
        return (database, watch)
    }

    // MARK: - Filter and columns

    @Test func `rows that the filter doesn't choose are passed over and need a checkpoint`() async throws {
        let (database, watch) = try await Self.watch("") { $0.filter = "kind = 'b' -- comment" }
        let client = watch.follow()
        try database.execute("INSERT INTO t (kind) VALUES ('a'), ('b'), ('a')")
        try await watch.poll()
        #expect(try await client.take() == ["2"])
        #expect(client.state.position == .integer(3))
        #expect(client.state.needsCheckpoint)
        try database.execute("INSERT INTO t (kind) VALUES ('a')")
        try await watch.poll()
        #expect(try await client.take() == [])
        #expect(client.state.id.description == "4")
        #expect(watch.feed.status.head == .integer(4))
    }

    @Test func `a filter that chooses nothing looks at one page of rows at a time`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(1000), tailBytes: 1) {
            $0.filter = "kind = 'none'"
            $0.pageRows = 10
        }
        var after = Position.earliest
        var pages = 0
        while after < .integer(1000) {
            let page = try await watch.page(after: after, through: .integer(1000))
            #expect(page.events.isEmpty)
            #expect(page.after == after)
            #expect(page.through == .integer(Int64(10 * (pages + 1))))
            after = page.through
            pages += 1
        }
        #expect(pages == 100)
        let client = watch.follow()
        #expect(try await client.take() == [])
        #expect(client.state.position == .integer(1000))
    }

    @Test(arguments: [1, 3, 7, 1000])
    func `a filter passes over no row that it chooses, whatever the size of pages`(pageRows: Int) async throws {
        let (database, watch) = try await Self.watch(Self.fill(100), tailBytes: 1) {
            $0.filter = "id % 7 = 3 OR kind = 'b'"
            $0.pageRows = pageRows
        }
        let replayed = watch.follow()
        let expected = (1...100).filter { $0 % 7 == 3 }.map(String.init)
        #expect(try await replayed.take() == expected)
        try database.execute(Self.fill(50, kind: "b", from: 101))
        try await watch.poll()
        #expect(try await replayed.take() == (101...150).map(String.init))
    }

    @Test(
        arguments: [
            ("nope = 1", "no such column: nope"),
            ("\"kindd\" = 'x'", "no such column: kindd"),
            ("kind = ", "near \"THEN\": syntax error"),
            ("unknown(kind)", "no such function: unknown"),
            ("count(*) > 1", "misuse of aggregate function count()"),
        ]
    )
    func `a filter that is no SQL breaks the feed with SQLite's words`(filter: String, problem: String) async throws {
        let (_, watch) = try await Self.watch("") { $0.filter = filter }
        #expect(watch.state == .broken("table 't' can't be read: \(problem); correct feeds.t.where"))
    }

    @Test func `an event has the chosen columns in the chosen order, named as the table names them`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(1)) { $0.columns = ["PAYLOAD", "id"] }
        let client = watch.follow()
        _ = try await client.take()
        #expect(client.rows == [#"{"payload":"x","id":1}"#])
    }

    @Test func `the id needs no place in the event`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(2)) { $0.columns = ["kind"] }
        let client = watch.follow()
        #expect(try await client.take() == ["1", "2"])
        #expect(client.rows == [#"{"kind":"a"}"#, #"{"kind":"a"}"#])
    }

    @Test(
        arguments: [
            (["nope"], nil, "columns"), (nil, ["nope"], "json_columns"), (["id", ""], nil, "columns"),
        ] as [([String]?, [String]?, String)]
    )
    func `columns that aren't there break the feed`(columns: [String]?, json: [String]?, key: String) async throws {
        let (_, watch) = try await Self.watch("") {
            $0.columns = columns
            $0.jsonColumns = json ?? []
        }
        let name = columns?.last ?? "nope"
        #expect(
            watch.state
                == .broken(
                    "table 't' has no column '\(name)'; set feeds.t.\(key) to some of: id, kind, payload"
                )
        )
    }

    // MARK: - Bounds

    @Test func `a page ends after so many rows`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(25), tailBytes: 1) { $0.pageRows = 10 }
        let first = try await watch.page(through: .integer(25))
        #expect(first.events.count == 10)
        #expect(first.through == .integer(10))
        let last = try await watch.page(after: .integer(20), through: .integer(25))
        #expect(last.events.count == 5)
        #expect(last.through == .integer(25))
    }

    @Test func `a page ends after the row that fills it`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(20, payload: "hex(zeroblob(500))"), tailBytes: 1) {
            $0.pageBytes = 3000
        }
        let page = try await watch.page(through: .integer(20))
        #expect(page.events.count == 3)
        #expect(page.through == .integer(3))
        #expect(page.bytes.count > 3000 && page.bytes.count < 3000 + 1200)
    }

    @Test func `a page reads no further than it is asked to`() async throws {
        let (_, watch) = try await Self.watch("INSERT INTO t (id) VALUES (1), (5), (9);", tailBytes: 1)
        let page = try await watch.page(after: .integer(1), through: .integer(7))
        #expect(page.frames().map(\.words) == ["5"])
        #expect(page.through == .integer(7))
        let none = try await watch.page(after: .integer(5), through: .integer(8))
        #expect(none.events.isEmpty)
        #expect(none.through == .integer(8))
        let nothing = try await watch.page(through: .earliest)
        #expect(nothing.events.isEmpty)
        #expect(nothing.through == .earliest)
    }

    @Test func `many new rows come as pages in one poll`() async throws {
        let (database, watch) = try await Self.watch("") { $0.pageRows = 100 }
        try database.execute(Self.fill(1050))
        let news = try await watch.poll()
        #expect(news.count == 11)
        #expect(watch.feed.status.rows == 1050)
        #expect(watch.feed.status.polls == [.quiet: 1, .rows: 1])
        #expect(try await watch.follow().take().count == 1050)
    }

    @Test func `a row too large is told of and the rows around it are sent`() async throws {
        let (database, watch) = try await Self.watch("") { $0.maxEventBytes = 1000 }
        let client = watch.follow()
        try database.execute(
            """
            INSERT INTO t (payload) VALUES ('a'), (zeroblob(900)), (zeroblob(5000)), (hex(zeroblob(480))),
                (replace(hex(zeroblob(300)), '0', char(1))), ('b');
            """
        )
        try await watch.poll()
        #expect(
            try await client.take() == [
                "1", "rowtail.oversize 2", "rowtail.oversize 3", "4", "rowtail.oversize 5", "6",
            ]
        )
        // Base64 of 900 bytes, the blob itself, and 600 bytes that are escaped with 6 each.
        #expect(client.rows[1] == #"{"feed":"t","bytes":1233}"#)
        #expect(client.rows[2] == #"{"feed":"t","bytes":5000}"#)
        #expect(client.rows[4] == #"{"feed":"t","bytes":3633}"#)
        #expect(client.rows[5] == #"{"id":6,"kind":null,"payload":"b"}"#)
    }

    @Test func `the size of a JSON column is that of its JSON without white space`() async throws {
        let (database, watch) = try await Self.watch("") {
            $0.maxEventBytes = 1000
            $0.jsonColumns = ["payload"]
        }
        let client = watch.follow()
        let blank = String(repeating: " ", count: 5000)
        try database.execute("INSERT INTO t (payload) VALUES ('{\(blank)}')")
        try await watch.poll()
        _ = try await client.take()
        #expect(client.rows == [#"{"id":1,"kind":null,"payload":{}}"#])
    }

    // MARK: - The tail at start

    @Test func `at start the tail is filled with the newest rows that fit`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(1000), tailBytes: 20_000) { $0.pageRows = 50 }
        let view = try await watch.recorder.view()
        #expect(view.head == .integer(1000))
        let start = try #require(view.tail.start)
        #expect(start > .integer(500) && start < .integer(950))
        #expect(view.tail.footprint <= 20_000)
        let client = watch.follow(after: start)
        guard case .integer(let first) = start else { return }
        #expect(try await client.take() == (first + 1...1000).map(String.init))
        #expect(watch.pool.pagesRead == 0)
    }

    @Test func `a small table is in the tail as a whole`() async throws {
        let (_, watch) = try await Self.watch(Self.fill(10))
        #expect(try await watch.recorder.view().tail.start == .earliest)
        #expect(try await watch.follow().take().count == 10)
        #expect(watch.pool.pagesRead == 0)
    }

    @Test func `with nobody listening only the head moves`() async throws {
        let (database, watch) = try await Self.watch("", isListenedTo: false)
        try database.execute(Self.fill(10))
        #expect(try await watch.poll() == ["advanced 10"])
        try database.execute(Self.fill(10, from: 11))
        #expect(try await watch.poll() == ["advanced 20"])
        #expect(watch.feed.status.head == .integer(20))
        #expect(watch.feed.status.polls == [.quiet: 1, .rows: 2])
        // Whoever comes then reads the table, and what is new goes to the tail again.
        let client = watch.follow(after: .integer(5))
        #expect(try await client.take() == (6...20).map(String.init))
        #expect(watch.pool.pagesRead == 1)
        try database.execute(Self.fill(1, from: 21))
        #expect(try await watch.poll() == ["21"])
        #expect(try await client.take() == ["21"])
        #expect(watch.pool.pagesRead == 1)
    }
}
