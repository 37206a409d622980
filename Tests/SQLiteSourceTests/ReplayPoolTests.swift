// SPDX-License-Identifier: Apache-2.0

import EventStream
import Glibc
import Logging
import NIOCore
import NIOPosix
import RowtailCore
import SQLiteSource
import Synchronization
import TestSupport
import Testing

/// Holds reads up in the middle of a page, so that a test can look at what goes on meanwhile.
private final class Gate: EventFraming {
    private struct State {
        var isOpen = false
        var inside = 0
        var most = 0
        var order: [Position] = []
    }

    private let state = Mutex(State())
    private let entered: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let framing = FrameEncoder(feed: "orders")

    init() {
        (entered, continuation) = AsyncStream.makeStream(of: Void.self)
    }

    func reset(_ reset: Reset, at id: EventID, in writer: inout ByteWriter) {
        framing.reset(reset, at: id, in: &writer)
    }

    func open(_ id: EventID, in writer: inout ByteWriter) -> Int {
        state.withLock { state in
            state.inside += 1
            state.most = max(state.most, state.inside)
            state.order.append(id.position)
        }
        continuation.yield()
        while !state.withLock({ $0.isOpen }) { sched_yield() }
        state.withLock { $0.inside -= 1 }
        return framing.open(id, in: &writer)
    }

    func close(_ writer: inout ByteWriter, from start: Int) {
        framing.close(&writer, from: start)
    }

    func oversize(_ id: EventID, bytes: Int, in writer: inout ByteWriter) {
        framing.oversize(id, bytes: bytes, in: &writer)
    }

    /// Waits until so many reads stand at the gate.
    func waitForReads(_ count: Int) async {
        var count = count
        for await _ in entered {
            count -= 1
            if count == 0 { return }
        }
    }

    func letThrough() { state.withLock { $0.isOpen = true } }

    var mostAtOnce: Int { state.withLock { $0.most } }

    var order: [Position] { state.withLock { $0.order } }
}

@Suite(.timeLimit(.minutes(1))) struct ReplayPoolTests {
    private let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any()

    private func source(_ path: String, _ framing: any EventFraming, _ pool: ReplayPool) -> SQLiteFeedSource {
        let poller = DatabasePoller(
            path: path,
            state: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            on: MultiThreadedEventLoopGroup.singleton.any()
        )
        // A page of one row, so that each read meets the gate once.
        let watched = WatchedTable(feed: "orders", table: "orders", pageRows: 1)
        return SQLiteFeedSource(watched, framing: framing, poller: poller, pool: pool)
    }

    private func page(_ source: SQLiteFeedSource, after: Int64, through: Int64 = 20) -> EventLoopFuture<Segment> {
        source.page(after: .integer(after), through: .integer(through), generation: 0, on: eventLoop)
    }

    @Test func `requests for the same page are answered by one read`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(20)
        let gate = Gate()
        let pool = ReplayPool(limit: 4)
        let source = source(database.path, gate, pool)
        let first = page(source, after: 0)
        await gate.waitForReads(1)
        // How far each would go is no difference: a page may end before.
        let others = (1...9).map { page(source, after: 0, through: 10 + $0) }
        gate.letThrough()
        let segment = try await first.get()
        for other in others {
            #expect(try await other.get() === segment)
        }
        #expect(pool.pagesRead == 1)
        #expect(try await page(source, after: 0).get() !== segment)
        #expect(pool.pagesRead == 2)
    }

    @Test func `a page that nobody waits for any more is not read`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(20)
        let gate = Gate()
        let pool = ReplayPool(limit: 1)
        let source = source(database.path, gate, pool)
        let first = page(source, after: 0)
        await gate.waitForReads(1)
        let interest = PageInterest()
        let abandoned = source.page(
            after: .integer(5),
            through: .integer(20),
            generation: 0,
            for: interest,
            on: eventLoop
        )
        let wanted = page(source, after: 7)
        interest.lose()
        gate.letThrough()
        _ = try await first.get()
        await #expect(throws: (any Error).self) { _ = try await abandoned.get() }
        #expect(try await wanted.get().events.first?.position == .integer(8))
        #expect(pool.pagesRead == 2)
    }

    @Test func `a pool that stops drops what waits and ends what is under way`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(20)
        let gate = Gate()
        let pool = ReplayPool(limit: 1)
        let source = source(database.path, gate, pool)
        let first = page(source, after: 0)
        await gate.waitForReads(1)
        let waiting = page(source, after: 5)
        async let stopped: Void = pool.stop()
        await #expect(throws: (any Error).self) { _ = try await waiting.get() }
        gate.letThrough()
        await stopped
        #expect(try await first.get().events.count == 1)
        await #expect(throws: (any Error).self) { _ = try await page(source, after: 9).get() }
    }

    @Test func `no more reads go on at a time than allowed`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(20)
        // As a poller has it open: the first of several to open a log that is at rest locks the others out.
        let poller = await WatchedFile(database.path)
        try await poller.poll()
        let gate = Gate()
        let pool = ReplayPool(limit: 2)
        let source = source(database.path, gate, pool)
        let pages = (0..<10).map { page(source, after: Int64($0)) }
        await gate.waitForReads(2)
        gate.letThrough()
        for (index, future) in pages.enumerated() {
            #expect(try await future.get().through == .integer(Int64(index + 1)))
        }
        #expect(gate.mostAtOnce <= 2)
        #expect(pool.pagesRead == 10)
    }

    @Test func `without a limit each read goes on at once`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(20)
        // As a poller has it open: the first of several to open a log that is at rest locks the others out.
        let poller = await WatchedFile(database.path)
        try await poller.poll()
        let gate = Gate()
        let source = source(database.path, gate, ReplayPool(limit: nil))
        let pages = (0..<6).map { page(source, after: Int64($0)) }
        await gate.waitForReads(6)
        gate.letThrough()
        for future in pages { _ = try await future.get() }
        #expect(gate.mostAtOnce == 6)
    }

    @Test func `subscribers take turns`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(20)
        let gate = Gate()
        let source = source(database.path, gate, ReplayPool(limit: 1))
        let pages = [5, 3, 9, 0, 7].map { page(source, after: $0) }
        await gate.waitForReads(1)
        gate.letThrough()
        for future in pages { _ = try await future.get() }
        #expect(gate.order == [6, 4, 10, 1, 8].map { .integer($0) })
    }

    @Test func `a failed read fails all who wait for it and is tried anew by the next`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(20)
        let source = source(database.path, FrameEncoder(feed: "orders"), ReplayPool(limit: 1))
        let lock = try ExclusiveLock(database.path)
        let locked = (1...3).map { _ in page(source, after: 0) }
        for future in locked {
            await #expect(throws: (any Error).self) { try await future.get() }
        }
        try lock.release()
        #expect(try await page(source, after: 0).get().frames().map(\.words) == ["1"])
    }

    @Test func `a file that took the place of another is read, also before it is polled`() async throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        try database.insertOrders(5)
        let other = try database.copy()
        try Shell.run("sqlite3", [other, "UPDATE orders SET customer = 'bob'"])
        let source = source(database.path, FrameEncoder(feed: "orders"), ReplayPool(limit: 1))
        #expect(try await page(source, after: 0).get().frames()[0].data?.contains("ada") == true)
        try database.replace(by: other)
        #expect(try await page(source, after: 0).get().frames()[0].data?.contains("bob") == true)
        try Shell.run("rm", [database.path])
        await #expect(throws: SourceError.self) { try await self.page(source, after: 0).get() }
    }

    @Test func `feeds of one file share a reader and don't mix`() async throws {
        let database = try TemporaryDatabase(
            TemporaryDatabase.orders + "CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1), (2);"
        )
        try database.insertOrders(2)
        let pool = ReplayPool(limit: 1)
        let orders = await WatchedFile(database.path)
        let first = SQLiteFeedSource(
            WatchedTable(feed: "orders", table: "orders"),
            framing: FrameEncoder(feed: "orders"),
            poller: orders.poller,
            pool: pool
        )
        let second = SQLiteFeedSource(
            WatchedTable(feed: "users", table: "users"),
            framing: FrameEncoder(feed: "users"),
            poller: orders.poller,
            pool: pool
        )
        let pages = try await [page(first, after: 0).get(), page(second, after: 0).get()]
        #expect(pages.map { $0.frames()[0].data } == [#"{"id":1,"customer":"ada","total":1.5}"#, #"{"id":1}"#])
        #expect(pool.pagesRead == 2)
    }

    @Test(arguments: [
        (1, 90, Position.integer(80)), (2, 90, .integer(50)), (5, 90, .integer(-10)), (6, 90, .earliest),
        (7, 90, .earliest), (1_000_000, 90, .earliest), (1, 89, .integer(50)), (1, 80, .integer(50)),
        (1, 1000, .integer(80)), (1, -10, .earliest), (1, -100, .earliest),
    ])
    func `the position before the newest rows is found`(count: Int, head: Int64, position: Position) async throws {
        let database = try TemporaryDatabase(RowIDHazardTests.reusing)
        try database.execute("INSERT INTO orders (id) VALUES (-10), (0), (7), (50), (80), (90)")
        let watch = await WatchedFile(database.path)
        #expect(try await watch.position(beforeNewest: count, through: .integer(head)) == position)
        #expect(try await watch.position(beforeNewest: count, through: .earliest) == .earliest)
    }

    @Test func `an empty table has nothing before its newest rows`() async throws {
        let database = try TemporaryDatabase()
        let watch = await WatchedFile(database.path)
        #expect(try await watch.position(beforeNewest: 1, through: .integer(5)) == .earliest)
    }

    @Test func `a row that only a client's page meets breaks the feed, which goes on with what is new`() async throws {
        let database = try TemporaryDatabase("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)")
        try database.execute(#"INSERT INTO t (v) VALUES ('{"a":1}')"#)
        var watched = WatchedTable(feed: "t", table: "t")
        watched.filter = "json_extract(v, '$.a') = 1"
        let watch = await WatchedFile(database.path, watched, tailBytes: 1, isListenedTo: false)
        try await watch.poll()
        // Nobody listens, so nobody reads them.
        try database.execute(#"INSERT INTO t (v) VALUES ('oops'); INSERT INTO t (v) VALUES ('{"a":1}')"#)
        try await watch.poll()
        #expect(watch.state == .live && watch.feed.status.head == .integer(3))

        await #expect(throws: (any Error).self) {
            _ = try await watch.page(after: .integer(1), through: .integer(3))
        }
        let isTold =
            "rows that a client waits for can't be read: database '\(database.path)' can't be read: malformed JSON"
        try await eventually { watch.state.reason?.hasPrefix(isTold) == true }
        // Who is at the head gets what comes.
        watch.feed.countSubscriber(1)
        try database.execute(#"INSERT INTO t (v) VALUES ('{"a":1}')"#)
        #expect(try await watch.poll() == ["4"])
        #expect(watch.state.name == "broken")

        try database.execute("DELETE FROM t WHERE v = 'oops'")
        try await eventually {
            try await watch.poll()
            return watch.state == .live
        }
        #expect(try await watch.page(after: .integer(1), through: .integer(4)).events.count == 2)
    }

    @Test func `what a client asks amiss breaks nothing`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(3)
        // One worker, so that the second read begins when everything is done about the first.
        let watch = await WatchedFile(database.path, tailBytes: 1, replays: 1)
        try await watch.poll()
        await #expect(throws: NoTimes.self) {
            _ = try await watch.feed.source
                .position(before: UnixTime(microseconds: 0), through: .integer(3), on: eventLoop).get()
        }
        #expect(try await watch.page(through: .integer(3)).events.count == 3)
        try database.insertOrders(1)
        #expect(try await watch.poll() == ["4"])
        #expect(watch.state == .live)
    }
}
