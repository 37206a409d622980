// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// The file is written, replaced, overwritten or restored: `H26` to `H29`.
@Suite(.timeLimit(.minutes(1))) struct ReplacedFileTests {
    static let inserted = "INSERT INTO orders (customer, total) VALUES"

    @Test(arguments: ["wal", "delete"])
    func `H26: rows committed while polls run are each seen once`(journalMode: String) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow()
        let path = database.path
        async let writing: Void = Self.write(200, to: path)
        var ids: [String] = []
        while ids.count < 200 {
            try await watch.poll()
            ids += try await client.take()
        }
        try await writing
        try await watch.poll()
        #expect(try await client.take() == [])
        #expect(ids == (1...200).map(String.init))
    }

    @concurrent private static func write(_ count: Int, to path: String) async throws {
        for _ in 0..<count / 20 {
            let rows = String(repeating: "BEGIN; \(inserted) ('ada', 1); COMMIT;", count: 20)
            try Shell.run("sqlite3", ["-cmd", ".timeout 10000", path, rows])
        }
    }

    @Test func `H26: a quiet poll asks no table, a poll after a commit does`() async throws {
        let database = try TemporaryDatabase()
        let watch = await WatchedFile(database.path)
        for _ in 0..<25 {
            #expect(try await watch.poll().filter { $0 != "generation 0 head earliest" } == [])
        }
        try database.insertOrders(1)
        #expect(try await watch.poll() == ["1"])
        #expect(watch.feed.status.polls == [.quiet: 25, .rows: 1])
    }

    @Test(arguments: ["wal", "delete"])
    func `H27: a copy with the same content takes the place and nothing happened`(journalMode: String) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try database.replace(by: database.copy())
        #expect(try await watch.poll() == [])
        try database.shell("\(Self.inserted) ('bob', 2)")
        #expect(try await watch.poll() == ["6"])
        #expect(watch.feed.status.history.current == 0)
    }

    @Test(arguments: ["wal", "delete"])
    func `H27: an older copy takes the place and clients are rewound to what is shared`(
        journalMode: String
    ) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let copy = try database.copy()
        try database.shell("\(Self.inserted) ('bob', 2), ('bob', 3), ('bob', 4)")
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try database.replace(by: copy)
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 3@1"])
        try database.shell("\(Self.inserted) ('cyd', 5)")
        try await watch.poll()
        #expect(try await client.take() == ["4@1"])
        #expect(client.rows == [#"{"id":4,"customer":"cyd","total":5.0}"#])
    }

    @Test func `H27: an older copy that has grown past the watermark is recognized by its rows`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let copy = try database.copy()
        try database.shell("\(Self.inserted) ('bob', 2), ('bob', 3), ('bob', 4)")
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try Shell.run("sqlite3", [copy, "\(Self.inserted) ('cyd', 5), ('cyd', 6), ('cyd', 7), ('cyd', 8), ('cyd', 9)"])
        try database.replace(by: copy)
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 3@1", "4@1", "5@1", "6@1", "7@1", "8@1"])
    }

    @Test(arguments: [3, 20])
    func `H27: another database takes the place and nothing is shared`(rows: Int) async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(6)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        let other = try TemporaryDatabase(journalMode: "delete")
        try other.shell(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))
            INSERT INTO orders (customer, total) SELECT 'bob' || i, i FROM n
            """
        )
        try database.replace(by: other.path)
        try await watch.poll()
        #expect(try await client.take() == ["reset replaced 6 -> earliest@1"] + (1...rows).map { "\($0)@1" })
    }

    @Test func `H27: the file goes away for a while and comes back`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let away = database.directory.file("away.db")
        try Shell.run("mv", [database.path, away])
        try await watch.poll()
        #expect(watch.state == .waiting("database file '\(database.path)' is not there yet; it is waited for"))
        #expect(watch.feed.status.head == .integer(3))
        try Shell.run("mv", [away, database.path])
        #expect(try await watch.poll() == [])
        #expect(watch.state == .live)
        try database.insertOrders(1)
        #expect(try await watch.poll() == ["4"])
    }

    /// Two files of the same history and size, whose change counters are equal, as H28 has them.
    private static func twins() throws -> (database: TemporaryDatabase, other: String) {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(5)
        let other = try database.copy()
        try database.shell("BEGIN; UPDATE orders SET total = 7 WHERE id = 1; \(inserted) ('ada', 1); COMMIT")
        try Shell.run(
            "sqlite3",
            [other, "BEGIN; UPDATE orders SET total = 8 WHERE id = 1; \(inserted) ('bob', 2); COMMIT"]
        )
        return (database, other)
    }

    @Test func `H28: a file overwritten in place with the same change counter is read anew`() async throws {
        let (database, other) = try Self.twins()
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try database.overwrite(with: other)
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 5@1", "6@1"])
        #expect(client.rows == [#"{"id":6,"customer":"bob","total":2.0}"#])
    }

    @Test func `H28: replay reads the file that overwrote the one it had read`() async throws {
        let (database, other) = try Self.twins()
        let watched = WatchedTable(feed: "orders", table: "orders", pageRows: 2)
        let watch = await WatchedFile(database.path, watched, tailBytes: 1)
        try await watch.poll()
        let before = watch.follow()
        _ = try await before.take()
        #expect(before.rows.first == #"{"id":1,"customer":"ada","total":7.0}"#)
        try database.overwrite(with: other)
        try await watch.poll()
        let after = watch.follow(generation: 1)
        #expect(try await after.take() == ["1@1", "2@1", "3@1", "4@1", "5@1", "6@1"])
        #expect(after.rows.first == #"{"id":1,"customer":"ada","total":8.0}"#)
        #expect(after.rows.last == #"{"id":6,"customer":"bob","total":2.0}"#)
    }

    @Test func `H28: a file whose time changed and nothing else is the same`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try Shell.run("touch", [database.path])
        #expect(try await watch.poll() == [])
        try database.insertOrders(1)
        #expect(try await watch.poll() == ["4"])
    }

    @Test func `H28: a checkpoint is not taken for another file although rows were updated`() async throws {
        let database = try TemporaryDatabase("CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT);")
        let writer = try database.connect()
        try await writer.write { try $0.execute(sql: "INSERT INTO orders (status) VALUES ('new')") }
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try await writer.write { try $0.execute(sql: "UPDATE orders SET status = 'paid'") }
        #expect(try await watch.poll() == [])
        try await writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA wal_checkpoint(PASSIVE)") }
        #expect(try await watch.poll() == [])
        #expect(watch.feed.status.history.current == 0)
        #expect(watch.state == .live)
        try writer.close()
    }

    @Test(arguments: ["wal", "delete"])
    func `H29: an older copy restored through the backup API rewinds clients`(journalMode: String) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let copy = try database.copy()
        try database.shell("\(Self.inserted) ('bob', 2), ('bob', 3), ('bob', 4)")
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try database.restore(from: copy)
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 3@1"])
        try database.shell("\(Self.inserted) ('cyd', 5)")
        try await watch.poll()
        #expect(try await client.take() == ["4@1"])
    }

    @Test(arguments: ["wal", "delete"])
    func `H29: a restored copy that grew past the watermark before the next poll rewinds clients`(
        journalMode: String
    ) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let copy = try database.copy()
        try database.shell("\(Self.inserted) ('bob', 2), ('bob', 3), ('bob', 4)")
        try await watch.poll()
        let client = watch.follow(after: .integer(6))
        try database.restore(from: copy)
        try database.shell("\(Self.inserted) ('cyd', 5), ('cyd', 6), ('cyd', 7), ('cyd', 8)")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 3@1", "4@1", "5@1", "6@1", "7@1"])
    }

    @Test(arguments: [1, 3, 8])
    func `H29: a copy restored while the daemon was down is recognized by its rows`(added: Int) async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try database.insertOrders(3)
        let copy = try database.copy()
        try database.shell("\(Self.inserted) ('bob', 2), ('bob', 3), ('bob', 4)")
        do {
            let watch = await WatchedFile(database.path, state: state)
            try await watch.poll()
            #expect(watch.feed.status.head == .integer(6))
            await watch.poller.close()
        }
        try database.restore(from: copy)
        for _ in 0..<added { try database.shell("\(Self.inserted) ('cyd', 5)") }
        let watch = await WatchedFile(database.path, state: state)
        try await watch.poll()
        #expect(watch.feed.status.history.current == 1)
        let client = watch.follow(after: .integer(6))
        let last = 3 + added
        #expect(try await client.take() == ["reset rewound 6 -> 3@1"] + (4...last).map { "\($0)@1" })
    }

    @Test func `H29: rows that nobody listened for are provable as soon as the head passed them`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path, isListenedTo: false)
        try await watch.poll()
        let copy = try database.copy()
        try database.shell("\(Self.inserted) ('bob', 2), ('bob', 3), ('bob', 4)")
        #expect(try await watch.poll() == ["advanced 6"])
        // Whoever connects now is told 6 as where the stream starts.
        let client = watch.follow(after: .integer(6))
        try database.restore(from: copy)
        try database.shell("\(Self.inserted) ('cyd', 5), ('cyd', 6), ('cyd', 7), ('cyd', 8)")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 6 -> 3@1", "4@1", "5@1", "6@1", "7@1"])
    }

    @Test func `a daemon that was down goes on in the same generation`() async throws {
        let database = try TemporaryDatabase()
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try database.insertOrders(3)
        do {
            let watch = await WatchedFile(database.path, state: state)
            try await watch.poll()
            await watch.poller.close()
        }
        try database.execute(
            "\(Self.inserted) ('bob', 2); UPDATE orders SET total = 9 WHERE id = 2; DELETE FROM orders WHERE id = 1"
        )
        let watch = await WatchedFile(database.path, state: state)
        #expect(try await watch.poll() == ["generation 0 head 3", "generation 0 head 4", "2 3 4"])
        #expect(try await watch.follow(after: .integer(3)).take() == ["4"])
    }
}
