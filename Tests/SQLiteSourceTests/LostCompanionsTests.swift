// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// Somebody removes the `-wal` and `-shm` files of a database in WAL mode while rowtail has it open.
@Suite(.timeLimit(.minutes(1))) struct LostCompanionsTests {
    private func removeCompanions(of database: TemporaryDatabase) throws {
        try Shell.run("rm", ["\(database.path)-wal", "\(database.path)-shm"])
    }

    /// Polls until there is news; the file is opened anew when all of this process have closed it.
    private func news(_ watch: WatchedFile) async throws -> [String] {
        var news: [String] = []
        try await eventually {
            news = try await watch.poll()
            return !news.isEmpty
        }
        return news
    }

    /// A database with five rows, all in the main file, that a poller and a reader behind the tail have open.
    private func opened() async throws -> (TemporaryDatabase, WatchedFile) {
        let database = try TemporaryDatabase()
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.shell("PRAGMA wal_checkpoint(TRUNCATE)")
        try await watch.poll()
        #expect(try await watch.page(through: .integer(5)).events.count == 5)
        return (database, watch)
    }

    @Test func `rows that go to new files are seen, by polls and behind the tail`() async throws {
        let (database, watch) = try await opened()
        try removeCompanions(of: database)
        #expect(try await watch.poll() == [])
        try database.shell("INSERT INTO orders (customer, total) VALUES ('bob', 2)")
        #expect(try await news(watch) == ["6"])
        #expect(watch.feed.status.history.current == 0)
        #expect(try await watch.page(through: .integer(6)).events.count == 6)
        try database.shell("INSERT INTO orders (customer, total) VALUES ('bob', 3)")
        #expect(try await watch.poll() == ["7"])
    }

    @Test func `commits that only the removed log had are told to have gone away`() async throws {
        let (database, watch) = try await opened()
        try database.shell("INSERT INTO orders (customer, total) VALUES ('bob', 2)")
        #expect(try await watch.poll() == ["6"])
        try removeCompanions(of: database)
        try database.shell("INSERT INTO orders (customer, total) VALUES ('eve', 9)")
        let client = watch.follow(after: .integer(6))
        _ = try await news(watch)
        #expect(try await client.take() == ["reset rewound 6 -> 5@1", "6@1"])
    }

    @Test func `a copy over the file, and the others removed, is read for what it is`() async throws {
        let (database, watch) = try await opened()
        try Shell.run("cp", [database.path, "\(database.path).backup"])
        try database.shell("INSERT INTO orders (customer, total) VALUES ('bob', 2), ('bob', 3)")
        #expect(try await watch.poll() == ["6 7"])
        #expect(try await watch.page(through: .integer(7)).events.count == 7)
        let client = watch.follow(after: .integer(7))
        try Shell.run("cp", ["\(database.path).backup", database.path])
        try removeCompanions(of: database)
        _ = try await news(watch)
        #expect(try await client.take() == ["reset rewound 7 -> 5@1"])
        try database.shell("INSERT INTO orders (customer, total) VALUES ('eve', 9)")
        try await eventually {
            _ = try await watch.poll()
            return watch.feed.status.head == .integer(6)
        }
        #expect(try await client.take() == ["6@1"])
        #expect(try await watch.page(through: .integer(6), generation: 1).events.count == 6)
    }

    @Test func `while nothing has the names, whoever has the files open is still followed`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(5)
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let writer = try database.connect()
        let insert = "INSERT INTO orders (customer, total) VALUES ('bob', 2)"
        try await writer.write { try $0.execute(sql: insert) }
        #expect(try await watch.poll() == ["6"])
        try removeCompanions(of: database)
        try await writer.write { try $0.execute(sql: insert) }
        #expect(try await watch.poll() == ["7"])
        try writer.close()
    }
}
