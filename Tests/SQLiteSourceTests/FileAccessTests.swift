// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

private let isRoot = geteuid() == 0

/// The daemon and the application are different users: `H38` and `H39`.
@Suite(.timeLimit(.minutes(1))) struct FileAccessTests {
    private static let application: UInt32 = 6001
    private static let daemon: UInt32 = 6002
    private static let sharedGroup: UInt32 = 6100

    /// A file's and its directory's owner and mode, the daemon's group, and whether the daemon may open it at rest.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var file: (group: UInt32, mode: String) = (6001, "644")
        var directory: (group: UInt32, mode: String) = (6001, "755")
        var journalMode = "wal"
        var user = FileAccess.User(id: 6002, group: 6002)
        var isAllowed: Bool

        init(_ testDescription: String, allowed: Bool, _ change: (inout Case) -> Void) {
            self.testDescription = testDescription
            isAllowed = allowed
            change(&self)
        }
    }

    @Test(
        .enabled(if: isRoot, "only root can give files away"),
        arguments: [
            // Root passes over permissions, so that every directory here is one that the daemon may write to.
            Case("owner only", allowed: false) { _ in },
            Case("group may write, daemon of another group", allowed: false) { $0.file = (6100, "664") },
            Case("group may write, daemon of that group", allowed: true) {
                $0.file = (6100, "664")
                $0.user.group = 6100
            },
            Case("group may write, directory hands its group on", allowed: true) {
                $0.file = (6100, "664")
                $0.directory = (6100, "2775")
            },
            Case("directory hands on another group", allowed: false) {
                $0.file = (6100, "664")
                $0.directory = (6200, "2775")
                $0.user.group = 6100
            },
            Case("group may read, daemon of that group", allowed: false) {
                $0.file = (6100, "644")
                $0.user.group = 6100
            },
            Case("everyone may write", allowed: true) { $0.file = (6001, "666") },
            Case("the owner itself", allowed: true) { $0.user = FileAccess.User(id: 6001, group: 6001) },
            Case("root", allowed: true) { $0.user = FileAccess.User(id: 0, group: 0) },
            Case("rollback journal", allowed: true) { $0.journalMode = "delete" },
        ]
    )
    func `H38: a database at rest is not opened where its owner could not write the -shm file`(testCase: Case) throws {
        let database = try TemporaryDatabase(journalMode: testCase.journalMode)
        let directory = database.directory.path
        try Shell.run("chown", ["\(Self.application):\(testCase.file.group)", database.path])
        try Shell.run("chmod", [testCase.file.mode, database.path])
        try Shell.run("chown", ["\(Self.application):\(testCase.directory.group)", directory])
        try Shell.run("chmod", [testCase.directory.mode, directory])
        let stat = try #require(FileStat(path: database.path))
        let error = Result { try FileAccess.check(path: database.path, file: stat, user: testCase.user) }.failure
        #expect((error == nil) == testCase.isAllowed)
        if let error = error as? SourceError {
            #expect(error.code == .broken)
            let beginning =
                "database '\(database.path)' is in WAL mode, belongs to user 6001 and is closed: opening it as"
            #expect(error.message.hasPrefix(beginning))
            #expect(error.message.contains("; run rowtail as user 6001, or give the directory the database's group"))
        }
        // Where the application has it open, its own -shm file is there and nothing is created.
        try Shell.run("touch", ["\(database.path)-shm"])
        #expect(throws: Never.self) {
            try FileAccess.check(path: database.path, file: stat, user: testCase.user)
        }
    }

    /// Runs SQL as a user, in another process.
    private static func run(as user: UInt32, _ path: String, _ sql: String) throws -> String {
        try Shell.run(
            "setpriv",
            ["--reuid=\(user)", "--regid=\(user)", "--clear-groups", "sqlite3", "-cmd", ".timeout 5000", path, sql]
        )
    }

    @Test(.enabled(if: isRoot, "only root can give files away"), arguments: ["wal", "delete"])
    func `H38: a daemon run by root leaves the application able to write`(journalMode: String) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.db")
        try Shell.run("chmod", ["755", directory.path])
        try Shell.run("chown", ["\(Self.application)", directory.path])
        _ = try Self.run(
            as: Self.application,
            path,
            "PRAGMA journal_mode = \(journalMode); \(TemporaryDatabase.orders) INSERT INTO orders (customer) VALUES ('a')"
        )
        // The daemon opens it first.
        let watch = await WatchedFile(path)
        try await watch.poll()
        #expect(watch.feed.status.head == .integer(1))
        let owners = try FileManager.default.contentsOfDirectory(atPath: directory.path).map {
            FileStat(path: directory.file($0))?.owner
        }
        #expect(owners.allSatisfy { $0 == Self.application })
        _ = try Self.run(as: Self.application, path, "INSERT INTO orders (customer) VALUES ('b')")
        #expect(try await watch.poll() == ["2"])
        await watch.poller.close()
        _ = try Self.run(as: Self.application, path, "INSERT INTO orders (customer) VALUES ('c')")
        let next = await WatchedFile(path)
        try await next.poll()
        #expect(next.feed.status.head == .integer(3))
    }

    @Test func `H39: a missing file is waited for and not created`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.db")
        let watch = await WatchedFile(path)
        try await watch.poll()
        try await watch.poll()
        #expect(watch.state == .waiting("database file '\(path)' is not there yet; it is waited for"))
        #expect(watch.feed.status.polls == [.waiting: 2])
        #expect(watch.feed.status.knowsHead)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
        let client = watch.follow()
        try Shell.run("sqlite3", [path, TemporaryDatabase.orders + "INSERT INTO orders (customer) VALUES ('ada')"])
        try await watch.poll()
        #expect(watch.state == .live)
        #expect(try await client.take() == ["1"])
    }

    @Test func `H39: a missing directory is waited for as well`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("later/app.db")
        let watch = await WatchedFile(path)
        try await watch.poll()
        #expect(watch.state.name == "waiting")
        try Shell.run("mkdir", [directory.file("later")])
        try Shell.run("sqlite3", [path, TemporaryDatabase.orders])
        try await watch.poll()
        #expect(watch.state == .live)
    }

    @Test func `H39: an empty file has no table yet`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.db")
        try Shell.run("touch", [path])
        let watch = await WatchedFile(path)
        try await watch.poll()
        #expect(watch.state == .waiting("database '\(path)' has no table 'orders' yet; it is waited for"))
        try Shell.run("sqlite3", [path, TemporaryDatabase.orders])
        try await watch.poll()
        #expect(watch.state == .live)
    }

    @Test func `a file that is no database is broken until one takes its place`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("app.db")
        try Shell.run("sh", ["-c", "head -c 8192 /dev/urandom > \(path)"])
        let watch = await WatchedFile(path)
        try await watch.poll()
        #expect(watch.state == .broken("database '\(path)' is no SQLite database, or is encrypted; check the path"))
        try Shell.run("sqlite3", [directory.file("new.db"), TemporaryDatabase.orders])
        try Shell.run("mv", [directory.file("new.db"), path])
        try await watch.poll()
        #expect(watch.state == .live)
    }

    @Test func `a path through a symbolic link is followed to where it points now`() async throws {
        let first = try TemporaryDatabase(journalMode: "delete")
        try first.insertOrders(2)
        let second = try first.copy("second.db")
        let link = first.directory.file("link.db")
        try Shell.run("ln", ["-s", first.path, link])
        let watch = await WatchedFile(link)
        try await watch.poll()
        try Shell.run("ln", ["-sfn", second, link])
        #expect(try await watch.poll() == [])
        try Shell.run("sqlite3", [second, "INSERT INTO orders (customer) VALUES ('ada')"])
        #expect(try await watch.poll() == ["3"])
    }

    @Test(arguments: [
        ("/a/b/c.db", "/a/b"), ("/c.db", "/"), ("c.db", "."), ("a/c.db", "a"),
    ])
    func `the directory of a path`(path: String, directory: String) {
        #expect(FileAccess.directory(of: path) == directory)
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
