// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// A feed in mode `log`: `H5`, `H16`, `H17`, `H30`, `H31` as its clients see them.
@Suite(.timeLimit(.minutes(1))) struct LogFeedTests {
    private static let watched = WatchedTable(feed: "orders", table: "orders", mode: .log, pageRows: 3)

    private let database: TemporaryDatabase

    init() throws {
        database = try TemporaryDatabase(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT); CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"
        )
    }

    private func watch(state: StateDirectory? = nil, isListenedTo: Bool = true) async throws -> WatchedFile {
        let watch = await WatchedFile(
            database.path,
            Self.watched,
            state: state,
            keeping: database,
            isListenedTo: isListenedTo
        )
        try await watch.poll()
        return watch
    }

    @discardableResult
    private func install(_ table: String = "orders") throws -> Bool {
        let watched = WatchedTable(feed: table, table: table, mode: .log)
        return try CaptureInstaller(watched, path: database.path).install().wasInstalled
    }

    private func prune(keeping rows: Int) throws {
        _ = try CapturePruner(Self.watched, path: database.path, retentionRows: rows).pruneOnce(now: 2e9)
    }

    @Test func `a feed without capture is broken and says what to run, and heals when it was run`() async throws {
        let watch = try await watch()
        #expect(
            watch.state == .broken("capture isn't installed on table 'orders'; run 'rowtail capture install orders'")
        )
        try install()
        try await watch.poll()
        #expect(watch.state == .live)
        let client = watch.follow()
        try database.shell(
            "INSERT INTO orders VALUES (1, 'ada'); UPDATE orders SET customer = 'bob'; DELETE FROM orders"
        )
        try await watch.poll()
        #expect(try await client.take() == ["1", "2", "3"])
        let data = client.frames.map { ($0.data ?? "").split(separator: #","at""#)[0] }
        #expect(
            data == [
                #"{"op":"insert","key":{"id":1},"before":null,"after":{"id":1,"customer":"ada"}"#,
                #"{"op":"update","key":{"id":1},"before":{"id":1,"customer":"ada"},"after":{"id":1,"customer":"bob"}"#,
                #"{"op":"delete","key":{"id":1},"before":{"id":1,"customer":"bob"},"after":null"#,
            ]
        )
    }

    @Test func `H5: a changed key is a delete and an insert`() async throws {
        try install()
        let watch = try await watch()
        try database.shell("INSERT INTO orders VALUES (1, 'ada'); UPDATE orders SET id = 7")
        try await watch.poll()
        let client = watch.follow()
        #expect(try await client.take() == ["1", "2", "3"])
        #expect(
            client.frames.compactMap { $0.data?.prefix(30) } == [
                #"{"op":"insert","key":{"id":1},"#, #"{"op":"delete","key":{"id":1},"#,
                #"{"op":"insert","key":{"id":7},"#,
            ]
        )
    }

    @Test func `entries of other tables are passed over`() async throws {
        try install()
        try install("users")
        let watch = try await watch()
        let client = watch.follow()
        try database.shell(
            """
            INSERT INTO orders VALUES (1, 'ada');
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO users SELECT i, 'x' FROM n;
            INSERT INTO orders VALUES (2, 'bob');
            """
        )
        try await watch.poll()
        #expect(try await client.take() == ["1", "22"])
        #expect(try await watch.follow(after: .integer(7)).take() == ["22"])
    }

    @Test(arguments: [true, false])
    func `H16: a rebuilt table breaks the feed, and a reset follows the repair`(isListenedTo: Bool) async throws {
        try install()
        let watch = try await watch(isListenedTo: isListenedTo)
        let live = watch.follow()
        try database.shell("INSERT INTO orders VALUES (1, 'ada'), (2, 'bob')")
        try await watch.poll()
        #expect(try await live.take() == ["1", "2"])
        try database.shell(
            """
            BEGIN; CREATE TABLE fresh (id INTEGER PRIMARY KEY, customer TEXT, total REAL);
            INSERT INTO fresh SELECT id, customer, 0.5 FROM orders; DROP TABLE orders; ALTER TABLE fresh RENAME TO orders; COMMIT;
            INSERT INTO orders VALUES (3, 'unseen', 1);
            """
        )
        try await watch.poll()
        #expect(watch.state.name == "broken")
        #expect(watch.state.reason?.hasSuffix("; run 'rowtail capture install orders'") == true)
        #expect(try await live.take() == [])
        #expect(try install() == false)
        try database.shell("INSERT INTO orders VALUES (4, 'eve', 2)")
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(watch.feed.status.history.breaks.map { "\($0.generation) \($0.base)" } == ["1 2"])
        #expect(try await live.take() == ["rowtail.reset 3@1", "4@1"])
        #expect(
            live.frames.first?.data == #"{"feed":"orders","reason":"rewound","requested":"2","resumed_from":"2@1"}"#
        )
        // Whoever reads across the gap is told in the same place, wherever it came from.
        #expect(try await watch.follow(after: .integer(1)).take() == ["2@1", "rowtail.reset 3@1", "4@1"])
        #expect(
            try await watch.follow(after: .integer(1), generation: 1).take() == ["2@1", "rowtail.reset 3@1", "4@1"]
        )
        #expect(try await watch.follow(after: .integer(3), generation: 1).take() == ["4@1"])
        #expect(try await watch.follow(policy: .fail).take() == ["1@1", "2@1", "rowtail.reset 3@1", "end reset"])
    }

    @Test func `H16: a repair is noticed by a daemon that wasn't there, with and without a state directory`()
        async throws
    {
        let state = try StateDirectory(path: database.directory.file("state"))
        try install()
        let watch = try await watch(state: state)
        try database.shell("INSERT INTO orders VALUES (1, 'ada')")
        try await watch.poll()
        await watch.poller.close()
        try database.shell("ALTER TABLE orders ADD COLUMN total REAL; INSERT INTO orders VALUES (2, 'unseen', 1)")
        try install()
        try database.shell("INSERT INTO orders VALUES (3, 'eve', 2)")
        for state in [state, nil] {
            let again = try await self.watch(state: state)
            #expect(again.feed.status.history.breaks.map { "\($0.generation) \($0.base)" } == ["1 2"])
            #expect(try await again.follow(after: .integer(1)).take() == ["2@1", "rowtail.reset 3@1", "4@1"])
        }
    }

    @Test(arguments: [
        "ALTER TABLE orders ADD COLUMN total REAL", "ALTER TABLE orders RENAME COLUMN customer TO client",
    ])
    func `H17: columns that were added or renamed break the feed until capture is installed again`(
        change: String
    ) async throws {
        try install()
        let watch = try await watch()
        let client = watch.follow()
        try database.shell("INSERT INTO orders (id) VALUES (1)")
        try await watch.poll()
        try database.shell("\(change); INSERT INTO orders (id) VALUES (2)")
        try await watch.poll()
        #expect(watch.state.name == "broken")
        try install()
        try database.shell("INSERT INTO orders (id) VALUES (3)")
        try await watch.poll()
        #expect(try await client.take() == ["1@1", "2@1", "rowtail.reset 3@1", "4@1"])
        let column = change.contains("ADD") ? #""total":null"# : #""client":null"#
        #expect(client.frames.last?.data?.contains(column) == true)
    }

    @Test func `triggers that somebody made again by hand leave a gap that nothing tells the place of`() async throws {
        try install()
        let watch = try await watch()
        let client = watch.follow()
        try database.shell("INSERT INTO orders VALUES (1, 'ada')")
        try await watch.poll()
        #expect(try await client.take() == ["1"])
        let triggers = try database.shell("SELECT sql || ';' FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid")
        let names = try database.shell("SELECT name FROM sqlite_master WHERE type = 'trigger'").split(separator: "\n")
        try database.shell(names.map { "DROP TRIGGER \"\($0)\";" }.joined())
        try await watch.poll()
        #expect(watch.state.name == "broken")
        try database.shell("INSERT INTO orders VALUES (2, 'unseen'); \(triggers); INSERT INTO orders VALUES (3, 'eve')")
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["reset replaced 1 -> earliest@1", "1@1", "2@1"])
    }

    @Test func `H30: a log that was pruned to nothing goes on where it was`() async throws {
        try install()
        try database.shell("INSERT INTO orders VALUES (1, 'ada'), (2, 'bob')")
        let watch = try await watch()
        let client = watch.follow(after: .integer(2))
        try database.shell("DELETE FROM rowtail_log")
        try await watch.poll()
        try database.shell("INSERT INTO orders VALUES (3, 'eve')")
        try await watch.poll()
        #expect(try await client.take() == ["3"])
        #expect(watch.feed.status.history.current == 0)
        #expect(try await watch.follow(after: .integer(1)).take() == ["reset pruned 1 -> 2", "3"])
    }

    @Test(arguments: [true, false])
    func `H31: an id before what was pruned is told so, the one just before the oldest entry is exact`(
        isRestarted: Bool
    ) async throws {
        try install()
        try database.shell(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) INSERT INTO orders SELECT i, 'x' FROM n"
        )
        var watch = try await watch()
        let behind = watch.follow(after: .integer(4))
        let exact = watch.follow(after: .integer(6))
        try prune(keeping: 4)
        if isRestarted {
            await watch.poller.close()
            watch = try await self.watch()
        } else {
            try await watch.poll()
            #expect(try await behind.take() == ["reset pruned 4 -> 6", "7", "8", "9", "10"])
            #expect(try await exact.take() == ["7", "8", "9", "10"])
        }
        #expect(watch.feed.status.earliest == .integer(6))
        #expect(try await watch.follow(after: .integer(5)).take() == ["reset pruned 5 -> 6", "7", "8", "9", "10"])
        #expect(try await watch.follow(after: .integer(5), policy: .latest).take() == ["reset pruned 5 -> 10"])
        #expect(try await watch.follow(after: .integer(6)).take() == ["7", "8", "9", "10"])
        #expect(try await watch.position(beforeNewest: 50, through: .integer(10)) == .integer(6))
        // What was pruned and not seen before is no row that is waited for.
        try database.shell("INSERT INTO orders VALUES (11, 'x'), (12, 'x'), (13, 'x')")
        try prune(keeping: 1)
        let late = watch.follow(after: .integer(10))
        try await watch.poll()
        #expect(try await late.take() == ["reset pruned 10 -> 12", "13"])
    }

    @Test func `pruning one table's entries takes nothing from another's clients`() async throws {
        try install()
        try install("users")
        try database.shell(
            "INSERT INTO users VALUES (1, 'a'), (2, 'b'); INSERT INTO orders VALUES (1, 'ada'), (2, 'bob')"
        )
        try prune(keeping: 1)
        let users = await WatchedFile(database.path, WatchedTable(feed: "users", table: "users", mode: .log))
        try await users.poll()
        #expect(try await users.follow().take() == ["1", "2"])
    }

    @Test(arguments: [true, false])
    func `H16: capturing that was removed and installed again, beside another table's, is told of`(
        isWatched: Bool
    ) async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        try install()
        try install("users")
        try database.shell("INSERT INTO orders VALUES (1, 'ada'), (2, 'bob'); INSERT INTO users VALUES (1, 'x')")
        var watch = try await watch(state: state)
        let users = await WatchedFile(database.path, WatchedTable(feed: "users", table: "users", mode: .log))
        try await users.poll()
        if !isWatched { await watch.poller.close() }
        _ = try CaptureInstaller(Self.watched, path: database.path).remove()
        try database.shell("INSERT INTO orders VALUES (3, 'unseen'); DELETE FROM orders WHERE id = 1")
        try install()
        try database.shell("INSERT INTO orders VALUES (4, 'eve')")
        if isWatched { try await watch.poll() } else { watch = try await self.watch(state: state) }
        #expect(
            try await watch.follow(after: .integer(2)).take() == ["reset pruned 2 -> 3@1", "rowtail.reset 4@1", "5@1"]
        )
        // The other table's clients have lost nothing.
        try await users.poll()
        #expect(users.feed.status.earliest == .earliest)
        #expect(try await users.follow(after: .integer(1)).take() == ["3"])
    }

    @Test func `H16: a table that was renamed and captured again under its new name has a gap`() async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        try install()
        try database.shell("INSERT INTO orders VALUES (1, 'ada')")
        try await watch(state: state).poller.close()
        try database.shell("ALTER TABLE orders RENAME TO purchases; INSERT INTO purchases VALUES (2, 'bob')")
        let renamed = WatchedTable(feed: "orders", table: "purchases", mode: .log)
        _ = try CaptureInstaller(renamed, path: database.path).install()
        try database.shell("INSERT INTO purchases VALUES (3, 'eve')")
        let again = await WatchedFile(database.path, renamed, state: state)
        try await again.poll()
        #expect(try await again.follow(after: .integer(1)).take() == ["rowtail.reset 3@1", "4@1"])
    }

    @Test func `one gap begins one generation, however many pages are before it, and whatever crashes`() async throws {
        let state = try StateDirectory(path: database.directory.file("state"))
        try install()
        let watch = try await watch(state: state)
        try database.shell(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO orders SELECT i, 'x' FROM n"
        )
        try database.shell("ALTER TABLE orders ADD COLUMN total REAL")
        try install()
        let client = watch.follow()
        try await watch.poll()
        #expect(try await client.take() == (1...20).map { "\($0)@1" } + ["rowtail.reset 21@1"])
        // As a crash leaves it: the generation is stored at once, the watermark later.
        #expect(try state.load("orders")?.watermark ?? .earliest < .integer(21))
        let again = try await self.watch(state: state)
        #expect(again.feed.status.history.current == 1)
        #expect(try await again.follow(after: .integer(21), generation: 1).take() == [])
    }
}
