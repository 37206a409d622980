// SPDX-License-Identifier: Apache-2.0

import NIOPosix
import RowtailCore
import Synchronization
import TestSupport
import Testing

@testable import SQLiteSource

/// Says when a file is written, as facts that a test can await.
private final class Wakes: Sendable {
    private let stream: AsyncStream<Void>
    private let watcher: FileWatcher
    private let counted: Counter

    private final class Counter: Sendable {
        let value = Mutex(0)
    }

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let counted = Counter()
        self.stream = stream
        self.counted = counted
        watcher = FileWatcher(on: MultiThreadedEventLoopGroup.singleton.next()) {
            counted.value.withLock { $0 += 1 }
            continuation.yield()
        }
    }

    func watch(_ path: String) -> Bool {
        watcher.watch(path: path)
    }

    var isWatching: Bool { watcher.isWatching }

    var count: Int { counted.value.withLock { $0 } }

    /// Waits for a wake-up.
    func next() async {
        for await _ in stream { return }
    }
}

@Suite(.timeLimit(.minutes(1))) struct FileWatcherTests {
    @Test(arguments: ["wal", "delete", "truncate", "persist"])
    func `W1: a commit wakes`(journalMode: String) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        let holder = try database.connect()
        let wakes = Wakes()
        #expect(wakes.watch(database.path))
        for _ in 0..<3 {
            try database.shell("INSERT INTO orders (customer) VALUES ('ada')")
            await wakes.next()
        }
        _ = holder
    }

    @Test(arguments: ["wal", "delete"])
    func `W1: reading doesn't wake`(journalMode: String) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        try database.insertOrders(3)
        // An application that has it open, as opening a WAL database creates files, which is a write.
        let holder = try HeldTransaction(database.path, "BEGIN", "SELECT * FROM orders")
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        let wakes = Wakes()
        #expect(wakes.watch(database.path))
        for _ in 0..<5 {
            try database.shell("SELECT count(*) FROM orders")
            await watch.poller.poll(refreshingAnchors: true)
            _ = try await watch.page(through: .integer(3))
        }
        // The kernel tells of events in order: what the reads raised was there before this.
        let fence = Wakes()
        #expect(fence.watch(database.directory.file("fence")))
        for _ in 0..<3 {
            try Shell.run("sh", ["-c", "echo x >> \(database.directory.file("fence"))"])
            await fence.next()
        }
        #expect(wakes.count == 0)
        try holder.commit()
    }

    @Test func `W1: a file that comes by renaming wakes`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        let copy = try database.copy()
        let wakes = Wakes()
        #expect(wakes.watch(database.path))
        try database.replace(by: copy)
        await wakes.next()
    }

    @Test func `W1: a file that isn't there yet wakes when it comes`() async throws {
        let directory = try TemporaryDirectory()
        let wakes = Wakes()
        #expect(wakes.watch(directory.file("app.db")))
        try Shell.run("sqlite3", [directory.file("app.db"), TemporaryDatabase.orders])
        await wakes.next()
    }

    @Test func `W1: through a symbolic link the file itself is watched`() async throws {
        let database = try TemporaryDatabase()
        let holder = try database.connect()
        let elsewhere = try TemporaryDirectory()
        try Shell.run("ln", ["-s", database.path, elsewhere.file("link.db")])
        let wakes = Wakes()
        #expect(wakes.watch(elsewhere.file("link.db")))
        try database.shell("INSERT INTO orders (customer) VALUES ('ada')")
        await wakes.next()
        _ = holder
    }

    @Test func `a directory that goes away wakes and is watched no more`() async throws {
        let directory = try TemporaryDirectory()
        try Shell.run("mkdir", [directory.file("sub")])
        let wakes = Wakes()
        #expect(wakes.watch(directory.file("sub/app.db")))
        try Shell.run("rm", ["-r", directory.file("sub")])
        await wakes.next()
        #expect(!wakes.isWatching)
    }

    @Test func `a directory that isn't there can't be watched`() throws {
        let wakes = Wakes()
        #expect(try !wakes.watch(TemporaryDirectory().file("none/app.db")))
    }
}
