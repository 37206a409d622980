// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// What the application's locks do to the daemon, and the daemon's to the application: `H35` to `H37`.
@Suite(.timeLimit(.minutes(1))) struct LockHazardTests {
    /// Runs SQL in another process that waits for no lock.
    private static func impatient(_ database: TemporaryDatabase, _ sql: String) throws -> String {
        try Shell.run("sqlite3", [database.path, sql]).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test func `H35: the WAL stays bounded while a client stalls`() async throws {
        let database = try TemporaryDatabase()
        let watched = WatchedTable(feed: "orders", table: "orders", pageRows: 10)
        let watch = await WatchedFile(database.path, watched, tailBytes: 1)
        let stalled = watch.follow()
        for round in 1...5 {
            try database.insertOrders(200)
            try await watch.poll()
            // A page is read for the stalled client; it takes none of it.
            _ = try await watch.page(through: watch.feed.status.head)
            let checkpoint = try Self.impatient(database, "PRAGMA wal_checkpoint(TRUNCATE)")
            #expect(checkpoint == "0|0|0", "round \(round)")
            let size = try FileManager.default.attributesOfItem(atPath: "\(database.path)-wal")[.size] as? Int
            #expect(size == 0)
        }
        #expect(try await stalled.take().count == 1000)
    }

    @Test(arguments: ["delete", "truncate", "persist", "wal"])
    func `H35: a writer that waits for no lock never meets one that the daemon holds`(journalMode: String) async throws
    {
        let database = try TemporaryDatabase(journalMode: journalMode)
        try database.insertOrders(50)
        let watched = WatchedTable(feed: "orders", table: "orders", pageRows: 10)
        let watch = await WatchedFile(database.path, watched, tailBytes: 1)
        for _ in 0..<5 {
            try await watch.poll()
            _ = try await watch.page(through: .integer(50))
            _ = try await watch.position(beforeNewest: 5, through: .integer(50))
            // Fails with "database is locked" where a read transaction is still open.
            _ = try Self.impatient(
                database,
                "BEGIN EXCLUSIVE; INSERT INTO orders (customer) VALUES ('ada'); COMMIT; PRAGMA wal_checkpoint(TRUNCATE)"
            )
        }
        try await watch.poll()
        #expect(watch.feed.status.head == .integer(55))
    }

    @Test func `H35: a poll after an error holds no lock either`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete", "CREATE TABLE t (n INTEGER NOT NULL UNIQUE);")
        let watch = await WatchedFile(database.path, WatchedTable(feed: "t", table: "t", watermark: "n"))
        try database.execute("INSERT INTO t VALUES (1), ('x')")
        try await watch.poll()
        #expect(watch.state != .live)
        _ = try Self.impatient(database, "BEGIN EXCLUSIVE; DELETE FROM t WHERE n = 'x'; COMMIT")
        try await watch.poll()
        #expect(watch.state == .live)
    }

    @Test func `H36: a locked database is tried again and the watermark stays`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let writer = try HeldTransaction(
            database.path,
            "BEGIN EXCLUSIVE",
            "INSERT INTO orders (customer) VALUES ('bob')"
        )
        #expect(try await watch.poll() == [])
        #expect(try await watch.poll() == [])
        #expect(watch.feed.status.polls[.busy] == 2)
        #expect(watch.state == .live)
        #expect(watch.feed.status.head == .integer(3))
        try writer.commit()
        #expect(try await watch.poll() == ["4"])
    }

    @Test func `H36: a WAL database in exclusive locking mode is waited for`() async throws {
        let database = try TemporaryDatabase()
        let writer = try HeldTransaction(
            database.path,
            "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE",
            "INSERT INTO orders (customer) VALUES ('bob')"
        )
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        #expect(watch.state.name == "waiting")
        #expect(watch.feed.status.polls == [.busy: 1])
        try writer.commit()
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(watch.feed.status.head == .integer(1))
    }

    @Test func `H36: rows updated under a lock that a poll met are no break`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let writer = try HeldTransaction(
            database.path,
            "BEGIN EXCLUSIVE",
            "UPDATE orders SET customer = 'x', total = 9"
        )
        #expect(try await watch.poll() == [])
        #expect(watch.feed.status.polls[.busy] == 1)
        try writer.commit()
        #expect(try await watch.poll() == [])
        #expect(watch.state == .live)
        #expect(watch.feed.status.history.current == 0)
    }

    @Test func `H36: a database that was locked at the start is followed when the lock is gone`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let writer = try HeldTransaction(database.path)
        let watch = await WatchedFile(database.path)
        #expect(try await watch.poll() == [])
        #expect(watch.state.name == "waiting")
        #expect(watch.state.reason?.contains("is locked by another connection") == true)
        #expect(!watch.feed.status.knowsHead)
        try writer.commit()
        #expect(try await watch.poll() == ["generation 0 head 3", "1 2 3"])
    }

    @Test func `H36: a lock that lasts is logged once, and its end`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        let log = LogRecorder()
        let watch = await WatchedFile(database.path, logger: log.logger)
        try await watch.poll()
        _ = log.take()
        let writer = try HeldTransaction(database.path)
        // Locks shorter than a second are daily life, so it takes some polls.
        var lines: [String] = []
        while lines.isEmpty {
            try await watch.poll()
            lines = log.take()
        }
        #expect(lines == ["warning database is locked, trying again"])
        for _ in 0..<5 { try await watch.poll() }
        #expect(log.take() == [])
        try writer.commit()
        try await watch.poll()
        try await watch.poll()
        #expect(log.take() == ["notice database answers again"])
    }

    @Test func `H37: a lock while the schema changes never looks like a missing table`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(1)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let writer = try HeldTransaction(
            database.path,
            "BEGIN EXCLUSIVE",
            "ALTER TABLE orders RENAME TO old; CREATE TABLE other (id INTEGER PRIMARY KEY)"
        )
        try await watch.poll()
        #expect(watch.state == .live)
        let fresh = await WatchedFile(database.path)
        try await fresh.poll()
        #expect(fresh.state.reason?.contains("locked") == true)
        try writer.execute("ALTER TABLE old RENAME TO orders; INSERT INTO orders (customer) VALUES ('bob')")
        try await watch.poll()
        try await fresh.poll()
        try writer.commit()
        #expect(try await watch.poll() == ["2"])
        #expect(watch.state == .live)
        #expect(watch.feed.status.polls[.error] == nil)
        #expect(watch.feed.status.polls[.waiting] == nil)
        try await fresh.poll()
        #expect(fresh.state == .live)
    }
}
