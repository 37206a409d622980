// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import Synchronization
import TestSupport
import Testing

@testable import SQLiteSource

@Suite(.timeLimit(.minutes(1))) struct StateDirectoryTests {
    private static var record: FeedRecord {
        var record = FeedRecord(feed: "orders")
        record.history.advance(base: .integer(7))
        record.history.advance(base: nil)
        record.history.advance(base: .earliest)
        record.watermark = .integer(.min)
        record.file = FileStat.Identity(device: .max, inode: 42)
        record.anchors = [
            Anchor(position: .integer(.max), columns: ["a \"b\"\n": .max, "\u{E9}": 0]),
            Anchor(position: .integer(-1), columns: [:]),
        ]
        return record
    }

    private static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    /// Takes hold of a directory that was let go of.
    ///
    /// A program that another test starts has this process's descriptors, the lock's among them, for a moment.
    private static func reopened(_ path: String) throws -> StateDirectory {
        while true {
            do {
                return try StateDirectory(path: path)
            } catch let error as StateDirectory.Failure where error.description.contains("in use") {
                sched_yield()
            }
        }
    }

    @Test func `a record outlives the daemon`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("state")
        do {
            let state = try StateDirectory(path: path)
            #expect(try state.load("orders") == nil)
            try state.write(Self.record)
            try state.write(FeedRecord(feed: "users"))
        }
        let state = try Self.reopened(path)
        #expect(try state.load("orders") == Self.record)
        #expect(try state.load("users") == FeedRecord(feed: "users"))
        #expect(try state.load("others") == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        #expect(names == ["lock", "orders.state", "users.state"])
    }

    @Test func `the newest of several records counts`() throws {
        let state = try StateDirectory(path: TemporaryDirectory().file("a/b/state"))
        var record = Self.record
        for watermark in Int64(1)...20 {
            record.watermark = .integer(watermark)
            try state.write(record)
        }
        #expect(try state.load("orders")?.watermark == .integer(20))
    }

    @Test func `what is written later comes after what was asked for before`() async throws {
        let state = try StateDirectory(path: TemporaryDirectory().file("state"))
        let errors = Mutex(0)
        for watermark in Int64(1)...20 {
            var record = Self.record
            record.watermark = .integer(watermark)
            state.writeLater(record) { error in
                if error != nil { errors.withLock { $0 += 1 } }
            }
        }
        var record = Self.record
        record.watermark = .integer(100)
        try state.write(record)
        #expect(try state.load("orders")?.watermark == .integer(100))
        #expect(errors.withLock { $0 } == 0)
    }

    @Test func `a file torn at any byte is refused`() throws {
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try state.write(Self.record)
        let path = directory.file("orders.state")
        let whole = try Data(contentsOf: URL(filePath: path))
        for length in 0..<whole.count {
            try whole.prefix(length).write(to: URL(filePath: path))
            let error = #expect(throws: StateDirectory.Failure.self, "cut to \(length)") { try state.load("orders") }
            guard error?.description.contains("is torn or was not written by rowtail") == true else {
                Issue.record("cut to \(length): \(String(describing: error))")
                return
            }
        }
        try whole.write(to: URL(filePath: path))
        #expect(try state.load("orders") == Self.record)
    }

    @Test func `a file with any byte changed is refused`() throws {
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try state.write(Self.record)
        let path = directory.file("orders.state")
        let whole = try Data(contentsOf: URL(filePath: path))
        for index in whole.indices {
            var changed = whole
            changed[index] ^= 1
            try changed.write(to: URL(filePath: path))
            #expect(throws: StateDirectory.Failure.self, "byte \(index)") { try state.load("orders") }
        }
    }

    @Test func `a file of another feed or another program is refused`() throws {
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try state.write(Self.record)
        try FileManager.default.copyItem(atPath: directory.file("orders.state"), toPath: directory.file("users.state"))
        let remedy =
            "restore it from a backup, or remove it to start anew (clients with older ids then get a reset or start over)"
        #expect(
            #expect(throws: StateDirectory.Failure.self) { try state.load("users") }?.description
                == "state file '\(directory.file("users.state"))' is of another feed, 'orders'; \(remedy)"
        )
        try Self.write("{}\n", to: directory.file("other.state"))
        #expect(
            #expect(throws: StateDirectory.Failure.self) { try state.load("other") }?.description
                == "state file '\(directory.file("other.state"))' is torn or was not written by rowtail; \(remedy)"
        )
    }

    @Test func `a directory in use by another daemon is refused`() throws {
        let directory = try TemporaryDirectory()
        let first = try StateDirectory(path: directory.path)
        #expect(
            #expect(throws: StateDirectory.Failure.self) { try StateDirectory(path: directory.path) }?.description
                == "state_directory '\(directory.path)' is in use by another rowtail; give each its own"
        )
        withExtendedLifetime(first) {}
    }

    @Test func `a directory that can't be is refused`() throws {
        let directory = try TemporaryDirectory()
        try Self.write("", to: directory.file("file"))
        let error = #expect(throws: StateDirectory.Failure.self) {
            try StateDirectory(path: directory.file("file/state"))
        }
        #expect(error?.description.contains("can't be created") == true)
    }

    // MARK: - As feeds use it

    @Test func `a feed whose state can't be written goes on`() async throws {
        let database = try TemporaryDatabase(RowIDHazardTests.reusing)
        try database.insertOrders(5)
        let directory = try TemporaryDirectory()
        let log = LogRecorder()
        let state = try StateDirectory(path: directory.file("state"))
        // Also root can't write to a directory that is gone.
        try Shell.run("rm", ["-r", directory.file("state")])
        let watch = await WatchedFile(database.path, state: state, logger: log.logger)
        try await watch.poll()
        let client = watch.follow(after: .integer(5))
        try database.execute("DELETE FROM orders WHERE id > 3")
        try await watch.poll()
        #expect(try await client.take() == ["reset rewound 5 -> 3@1"])
        #expect(watch.state == .live)
        // When it can be written again, it is.
        try Shell.run("mkdir", [directory.file("state")])
        await watch.poller.close()
        #expect(try state.load("orders")?.history.current == 1)
        #expect(try state.load("orders")?.watermark == .integer(3))
    }

    @Test func `a torn state breaks the feed, and it heals when the file is gone`() async throws {
        let database = try TemporaryDatabase()
        try database.insertOrders(2)
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        try Self.write("torn", to: directory.file("orders.state"))
        let watch = await WatchedFile(database.path, state: state)
        #expect(try await watch.poll() == [])
        guard case .broken(let reason) = watch.state else {
            Issue.record("\(watch.state)")
            return
        }
        #expect(reason.hasPrefix("state file '\(directory.file("orders.state"))' is torn"))
        try Shell.run("rm", [directory.file("orders.state")])
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(watch.feed.status.head == .integer(2))
    }

    @Test func `a new generation is stored before it is announced`() async throws {
        let database = try TemporaryDatabase(RowIDHazardTests.reusing)
        try database.insertOrders(5)
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        let stored = Mutex<[String]>([])
        let watch = await WatchedFile(database.path, state: state) { news in
            guard case .generation(let history, _) = news, history.current > 0 else { return }
            let record = try? state.load("orders")
            let text = record.map { "\($0.history.current) \($0.watermark) \($0.anchors.count)" }
            stored.withLock { $0.append(text ?? "none") }
        }
        try await watch.poll()
        try database.execute("DELETE FROM orders WHERE id > 3")
        try await watch.poll()
        try database.execute("DELETE FROM orders WHERE id > 1")
        try await watch.poll()
        #expect(stored.withLock { $0 } == ["1 3 3", "2 1 1"])
    }

    @Test func `generations outlive the daemon`() async throws {
        let database = try TemporaryDatabase(RowIDHazardTests.reusing)
        try database.insertOrders(5)
        let directory = try TemporaryDirectory()
        let state = try StateDirectory(path: directory.path)
        do {
            let watch = await WatchedFile(database.path, state: state)
            try await watch.poll()
            try database.execute("DELETE FROM orders WHERE id > 3")
            try await watch.poll()
            // No orderly end: what the poll stored has to do.
        }
        let watch = await WatchedFile(database.path, state: state)
        #expect(try await watch.poll() == ["generation 1 head 3 base 3", "generation 1 head 3 base 3", "1@1 2@1 3@1"])
        #expect(try await watch.follow(after: .integer(5)).take() == ["reset rewound 5 -> 3@1"])
        #expect(try await watch.follow(after: .integer(2)).take() == ["3@1"])
    }

    @Test func `without a state directory a restart starts anew`() async throws {
        let database = try TemporaryDatabase(RowIDHazardTests.reusing)
        try database.insertOrders(5)
        let before = await WatchedFile(database.path)
        try await before.poll()
        try database.execute("DELETE FROM orders WHERE id > 3")
        let after = await WatchedFile(database.path)
        #expect(try await after.poll() == ["generation 0 head 3", "1 2 3"])
        let view = try await after.recorder.view()
        let id = EventID(.integer(5), generation: 0)
        #expect(view.history.continuation(of: id, head: view.head) == .lost(.ahead))
    }
}
