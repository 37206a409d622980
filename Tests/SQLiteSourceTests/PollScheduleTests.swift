// SPDX-License-Identifier: Apache-2.0

import GRDB
import Logging
import NIOCore
import NIOPosix
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

@Suite(.timeLimit(.minutes(1))) struct PollScheduleTests {
    /// A scheduled poller, and the heads that its feed announces.
    private struct Scheduled {
        let watch: WatchedFile
        let schedule: PollSchedule
        let heads: AsyncStream<Position>

        init(
            _ path: String,
            state: StateDirectory? = nil,
            interval: Duration = .seconds(3600),
            wakesOnWrite: Bool = false
        ) async {
            let (heads, continuation) = AsyncStream.makeStream(of: Position.self)
            self.heads = heads
            watch = await WatchedFile(path, state: state) { news in
                switch news {
                case .segment(let segment): continuation.yield(segment.through)
                case .advanced(let head), .generation(_, let head), .pruned(let head): continuation.yield(head)
                }
            }
            schedule = PollSchedule(
                watch.poller,
                interval: interval,
                wakesOnWrite: wakesOnWrite,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            await schedule.start()
        }

        func head(_ wanted: Int64) async {
            for await head in heads where head == .integer(wanted) { return }
        }
    }

    @Test func `it polls at every interval`() async throws {
        let database = try TemporaryDatabase()
        let scheduled = await Scheduled(database.path, interval: .milliseconds(10))
        for id in Int64(1)...5 {
            try database.shell("INSERT INTO orders (customer) VALUES ('ada')")
            await scheduled.head(id)
        }
        await scheduled.schedule.stop()
    }

    @Test(arguments: ["wal", "delete"])
    func `it polls when the file is written`(journalMode: String) async throws {
        let database = try TemporaryDatabase(journalMode: journalMode)
        let scheduled = await Scheduled(database.path, wakesOnWrite: true)
        for id in Int64(1)...10 {
            try database.shell("INSERT INTO orders (customer) VALUES ('ada')")
            await scheduled.head(id)
        }
        await scheduled.schedule.stop()
    }

    @Test func `a write that comes while the last follow-up is waited for is seen at once`() async throws {
        let database = try TemporaryDatabase()
        let application = try DatabaseQueue(path: database.path)
        var fastest = Duration.seconds(60)
        for round in Int64(0)..<10 {
            let scheduled = await Scheduled(database.path, wakesOnWrite: true)
            try application.insertOrders(1, bytes: 1)
            // The first at the start, then after 0.2, 0.4, 1 and 4 ms; the next is 16 ms away.
            try await eventually { scheduled.watch.feed.status.polls.values.reduce(0, +) >= 5 }
            try application.insertOrders(1, bytes: 1)
            let start = ContinuousClock.now
            await scheduled.head(2 * round + 2)
            fastest = min(fastest, .now - start)
            await scheduled.schedule.stop()
        }
        // Other programs may hold up one of them, not all.
        #expect(fastest < .milliseconds(8))
    }

    @Test func `it polls again soon after it met a lock`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(3)
        let lock = try ExclusiveLock(database.path)
        let scheduled = await Scheduled(database.path)
        #expect(Array(scheduled.watch.feed.status.polls.keys) == [.busy])
        try lock.release()
        await scheduled.head(3)
        await scheduled.schedule.stop()
    }

    @Test func `a file that comes later is noticed and then watched`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.db")
        let scheduled = await Scheduled(path, interval: .milliseconds(10), wakesOnWrite: true)
        #expect(scheduled.watch.state.name == "waiting")
        try Shell.run(
            "sqlite3",
            ["-cmd", ".timeout 10000", path, TemporaryDatabase.orders + "INSERT INTO orders (customer) VALUES ('ada')"]
        )
        await scheduled.head(1)
        // The head is announced just before the poll that found it is over.
        while scheduled.watch.state != .live { await Task.yield() }
        await scheduled.schedule.stop()
    }

    @Test func `it stores what changed within a second or so`() async throws {
        let database = try TemporaryDatabase()
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        let (writes, continuation) = AsyncStream.makeStream(of: Void.self)
        let watcher = FileWatcher(on: MultiThreadedEventLoopGroup.singleton.next()) { continuation.yield() }
        #expect(watcher.watch(path: directory.file("orders.state")))
        let scheduled = await Scheduled(database.path, state: state, interval: .milliseconds(10))
        try database.insertOrders(5)
        for await _ in writes where try state.load("orders")?.watermark == .integer(5) { break }
        #expect(try state.load("orders")?.anchors.count == 5)
        await scheduled.schedule.stop()
    }

    @Test func `when it stops, what changed is stored and nothing is polled any more`() async throws {
        let database = try TemporaryDatabase()
        let state = try StateDirectory(path: TemporaryDirectory().file("state"))
        let scheduled = await Scheduled(database.path, state: state, interval: .milliseconds(10), wakesOnWrite: true)
        try database.insertOrders(5)
        await scheduled.head(5)
        await scheduled.schedule.stop()
        let record = try #require(try state.load("orders"))
        #expect(record.watermark == .integer(5))
        #expect(record.anchors.first?.position == .integer(5))
        let polls = scheduled.watch.feed.status.polls
        try database.insertOrders(5)
        // Everything that was due on the poller's thread by now.
        try await scheduled.watch.poller.eventLoop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
        #expect(scheduled.watch.feed.status.polls == polls)
    }

    @Test func `a poller that closes waits for what is being stored`() async throws {
        let database = try TemporaryDatabase()
        let state = try StateDirectory(path: TemporaryDirectory().file("state"))
        for round in Int64(1)...10 {
            let watch = await WatchedFile(database.path, state: state)
            try await watch.poll()
            try database.insertOrders(1)
            try await watch.poll()
            await watch.poller.upkeep()
            await watch.poller.close()
            #expect(try state.load("orders")?.watermark == .integer(round))
        }
    }

    @Test func `a refresh is answered after a poll that began later, many by one`() async throws {
        let database = try TemporaryDatabase()
        let watch = await WatchedFile(database.path)
        try await watch.poll()
        try database.insertOrders(1)
        let loop = watch.recorder.eventLoop
        let refreshed = (0..<20).map { _ in watch.feed.source.refresh(on: loop) }
        for future in refreshed { try await future.get() }
        #expect(watch.feed.status.head == .integer(1))
        let polls = watch.feed.status.polls.values.reduce(0, +)
        #expect(polls < 20)
    }
}
