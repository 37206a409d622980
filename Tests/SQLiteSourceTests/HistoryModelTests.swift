// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// A table that an application and its administrator treat at random, and one client that follows it.
///
/// Every row carries a token that no other row ever has. In the end the client must hold each row of the table with the
/// token that it has there, whatever happened on the way.
private final class Application {
    private var random: SeededGenerator
    private let database: TemporaryDatabase
    private let state: StateDirectory
    private let isReusing: Bool
    private let isWAL: Bool
    private var copy: String?
    private var watch: WatchedFile
    private var client: FeedFollower
    private var nextToken = 1

    /// Whether ids may have been given out again unseen, if the head gets past the watermark before the next poll.
    private var isOpen = false

    /// Rows that were deleted, and that only a restored copy can bring back: a client that was past them by then isn't
    /// sent them.
    private var deleted: Set<String> = []

    /// What the client holds, by id.
    private var held: [Int64: String] = [:]
    private var trace: [String] = []

    init(seed: UInt64) async throws {
        random = SeededGenerator(seed: seed)
        isReusing = random.oneIn(2)
        isWAL = random.oneIn(2)
        let key = isReusing ? "" : "AUTOINCREMENT"
        database = try TemporaryDatabase(
            journalMode: isWAL ? "wal" : "delete",
            "CREATE TABLE orders (id INTEGER PRIMARY KEY \(key), token TEXT, status TEXT, note TEXT, currency TEXT DEFAULT 'EUR', retries INTEGER DEFAULT 0);"
        )
        state = try StateDirectory(path: database.directory.file("state"))
        watch = await Self.start(database, state)
        client = watch.follow()
        trace.append("\(isReusing ? "reusing" : "autoincrement") \(isWAL ? "wal" : "delete")")
    }

    private static func start(_ database: TemporaryDatabase, _ state: StateDirectory) async -> WatchedFile {
        let watched = WatchedTable(feed: "orders", table: "orders", pageRows: 7)
        return await WatchedFile(database.path, watched, state: state, tailBytes: 1500, isListenedTo: false)
    }

    // MARK: - The application

    private func head() throws -> Int64 {
        let connection = try database.connect()
        defer { try? connection.close() }
        return try connection.read { db in
            let newest = try Int64.fetchOne(db, sql: "SELECT max(id) FROM orders") ?? 0
            guard !isReusing else { return newest }
            return try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'orders'") ?? newest
        }
    }

    private func insert() async throws {
        let count = Int.random(in: 1...12, using: &random)
        // What is given out again between two polls, up to where the watermark was, can't be seen: documented.
        if isOpen, case .integer(let watermark) = watch.feed.status.head, try head() + Int64(count) >= watermark {
            try await poll()
        }
        let rows = (nextToken..<nextToken + count).map { "('t\($0)', 'new')" }.joined(separator: ",")
        nextToken += count
        trace.append("insert \(count)")
        try database.execute("INSERT INTO orders (token, status) VALUES \(rows)")
    }

    private func change() throws {
        let sql: String
        switch Int.random(in: 0..<9, using: &random) {
        case 0...1:
            sql =
                "DELETE FROM orders WHERE id > (SELECT max(id) FROM orders) - \(Int.random(in: 1...6, using: &random))"
            isOpen = isOpen || isReusing
        case 2:
            sql =
                "DELETE FROM orders WHERE id < (SELECT min(id) FROM orders) + \(Int.random(in: 1...6, using: &random))"
        case 3 where random.oneIn(3):
            sql = "DELETE FROM orders"
            isOpen = isOpen || isReusing
        case 4: sql = "VACUUM"
        case 5: sql = "CREATE TABLE IF NOT EXISTS other (a); DROP TABLE other;"
        case 6: sql = "PRAGMA wal_checkpoint(PASSIVE)"
        default:
            sql = "UPDATE orders SET status = 's' || random() WHERE id % 3 = \(Int.random(in: 0..<3, using: &random))"
        }
        trace.append(sql)
        let before = try tokens()
        try database.execute(sql)
        deleted.formUnion(Set(before.values).subtracting(try tokens().values))
    }

    private func tokens() throws -> [Int64: String] {
        let connection = try database.connect()
        defer { try? connection.close() }
        return try connection.read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT id, token FROM orders")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["id"], $0["token"]) })
        }
    }

    // MARK: - The administrator

    private func backUp() throws {
        let path = database.directory.file("copy.db")
        try Shell.run("rm", ["-f", path])
        try Shell.run("sqlite3", ["-cmd", ".timeout 10000", database.path, ".backup '\(path)'"])
        copy = path
        trace.append("back up at \(try head())")
    }

    private func restore() throws {
        guard let copy else { return }
        switch Int.random(in: 0..<3, using: &random) {
        case 0 where !isWAL:
            trace.append("restore by renaming")
            try Shell.run("cp", [copy, "\(copy).new"])
            try database.replace(by: "\(copy).new")
        case 1 where !isWAL:
            trace.append("restore in place")
            try database.overwrite(with: copy)
            // With another change counter it looks like a commit.
            isOpen = true
        default:
            trace.append("restore by the backup API")
            try database.restore(from: copy)
        }
    }

    // MARK: - The daemon and its client

    private func poll() async throws {
        trace.append("poll")
        try await watch.poll()
        isOpen = false
        if random.oneIn(2) { await watch.poller.upkeep() }
        #expect(watch.state == .live)
    }

    private func receive() async throws {
        trace.append("receive")
        take(try await client.take())
    }

    private func take(_ told: [String]) {
        trace.append("\(told)")
        var rows = client.rows[...]
        for words in told {
            guard words.hasPrefix("reset") else {
                guard let id = EventID(words), case .integer(let number) = id.position, let row = rows.popFirst(),
                    let token = row.split(separator: "\"").first(where: { $0.hasPrefix("t") && $0 != "token" })
                else { continue }
                held[number] = String(token)
                continue
            }
            let from = EventID(words.split(separator: " ").last ?? "")?.position ?? .earliest
            held = held.filter { .integer($0.key) <= from && !words.contains("replaced") }
        }
    }

    private func restart() async throws {
        trace.append("restart")
        let id = client.state.told
        await watch.poller.close()
        if random.oneIn(2) { try restore() }
        if random.oneIn(2) {
            isOpen = false
            try await insert()
        }
        watch = await Self.start(database, state)
        try await watch.poll()
        isOpen = false
        let view = try await watch.recorder.view()
        let current = view.history.current
        switch view.history.continuation(of: id, head: view.head) {
        case .exact(let position):
            client = watch.follow(after: position, generation: current)
        case .rewound(let base):
            take(["reset rewound \(id) -> \(EventID(base, generation: current))"])
            client = watch.follow(after: base, generation: current)
        case .lost(let reason):
            #expect(reason == .replaced)
            take(["reset \(reason) \(id) -> \(EventID(.earliest, generation: current))"])
            client = watch.follow(generation: current)
        }
    }

    func run() async throws {
        try await watch.poll()
        for _ in 0..<60 {
            switch Int.random(in: 0..<16, using: &random) {
            case 0...4: try await insert()
            case 5...7: try change()
            case 8: try backUp()
            case 9 where copy != nil: try restore()
            case 10 where random.oneIn(2): try await restart()
            case 11...13: try await poll()
            default: try await receive()
            }
        }
        try await poll()
        try await receive()
        for (id, token) in try tokens().sorted(by: { $0.key < $1.key }) where held[id] != token {
            if held[id] == nil, deleted.contains(token) { continue }
            Issue.record(
                "row \(id) is \(token), the client has \(held[id] ?? "none"): \(trace.joined(separator: "; "))"
            )
            return
        }
    }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct HistoryModelTests {
    @Test(arguments: (0..<20).map { UInt64($0) } + [UInt64.random(in: .min ... .max)])
    func `whatever is done to a database, a client ends up with every row of it`(seed: UInt64) async throws {
        try await Application(seed: seed).run()
    }
}
