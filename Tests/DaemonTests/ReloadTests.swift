// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// SIGHUP: the configuration is taken up again, all of it or nothing.
    @Suite struct ReloadTests {
        private let database: TemporaryDatabase
        private let port: Int

        init() throws {
            database = try TemporaryDatabase(journalMode: "wal")
            try database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")
            port = try DaemonProcess.freePort()
        }

        /// The configuration with these feeds and other keys.
        @discardableResult
        private func write(_ feeds: String, _ more: String = "") throws -> String {
            try DaemonProcess.write(
                """
                listen: 127.0.0.1:\(port)
                database: \(database.path)
                state_directory: \(database.directory.file("state"))
                poll_interval: 20ms
                \(more)
                feeds: \(feeds)

                """,
                in: database.directory
            )
        }

        /// Sends the signal and waits until so many reloads came to an end.
        private func reload(_ daemon: DaemonProcess, _ count: Int = 1, refused: Bool = false) async throws {
            let line = refused ? "configuration is refused" : "configuration is in force"
            daemon.program.signal(SIGHUP)
            _ = try await daemon.program.state.until("\(count) times '\(line)'") { state in
                state.errors.count { $0.contains(line) } >= count ? true : nil
            }
        }

        private func stream(_ feed: String, after id: String? = nil) async throws -> StreamClient {
            let (client, head) = try await StreamClient.stream(port: port, "/feeds/\(feed)", lastEventID: id)
            #expect(head.status == 200)
            return client
        }

        @Test func `streams go on, end or begin as the new file says, and nothing is lost on the way`() async throws {
            let daemon = try await DaemonProcess.start(
                config: try write("{orders: {}, users: {}, old: {table: users}}")
            )
            let (orders, users, old) = (try await stream("orders"), try await stream("users"), try await stream("old"))
            for client in [orders, users, old] { _ = try await client.frame() }
            try write("{orders: {}, users: {event: user}, new: {table: users}}")
            try await reload(daemon)
            for client in [users, old] {
                #expect(try await client.event()?.data == #"{"reason":"reload"}"#)
                #expect(try await client.frame() == nil)
                #expect(await client.endedInOrder)
            }
            try database.execute("INSERT INTO users (name) VALUES ('ada')")
            try database.insertOrders(1)
            #expect(try await orders.event()?.id == "1")
            for name in ["users", "new"] {
                let event = try await stream(name, after: "earliest").event()
                #expect(event?.id == "1")
                #expect(event?.event == (name == "users" ? "user" : nil))
            }
            #expect(try await daemon.get("/feeds/old").status == 404)
            let line = try await daemon.logged("configuration is in force")
            #expect(line.hasSuffix("feeds.added=2 feeds.ended=2 feeds.kept=1"))
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a client follows a feed over many changes of it, each row once`() async throws {
            let daemon = try await DaemonProcess.start(config: try write("{orders: {start: earliest}}"))
            let follower = StreamFollower(port: port, "/feeds/orders")
            let application = try database.connect()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await follower.follow(to: 200) }
                for round in 1...10 {
                    try application.insertOrders(10, bytes: 10)
                    try write(
                        "{orders: {start: earliest, json_columns: [\(round.isMultiple(of: 2) ? "" : "customer")]}}"
                    )
                    try await reload(daemon, round)
                    try application.insertOrders(10, bytes: 10)
                }
                try await group.waitForAll()
            }
            let state = follower.state.value
            #expect(state.rows == Array(1...200))
            #expect(state.faults.isEmpty)
            #expect(state.controls.allSatisfy { $0.event == "rowtail.end" })
            try await daemon.terminate()
        }

        @Test(
            arguments: [
                ("feeds: {orders: {mode: append, colums: [id]}}", "colums"),
                ("listen: unix:/proc/no/such/place\nfeeds: {orders: {}}", "can't be bound"),
                ("state_directory: /proc/no/such/place\nfeeds: {orders: {}}", "can't be created"),
                ("auth: {tokens_file: missing.tokens}\nfeeds: {orders: {}}", "missing.tokens"),
                (
                    "tls: {certificate: a.pem, private_key: b.pem}\nfeeds: {orders: {}}",
                    "tls.certificate: there is no file"
                ),
                ("listen: systemd\nfeeds: {orders: {}}", "systemd passed no sockets"),
                ("feeds: {}", "feeds"),
            ]
        )
        func `what can't be put in force is refused, and everything goes on`(yaml: String, reason: String) async throws
        {
            let daemon = try await DaemonProcess.start(config: try write("{orders: {}, users: {}}"))
            let client = try await stream("orders")
            _ = try await client.frame()
            _ = try DaemonProcess.write("database: \(database.path)\n\(yaml)\n", in: database.directory)
            try await reload(daemon, refused: true)
            #expect(daemon.log.contains { $0.contains("configuration is refused") && $0.contains(reason) })
            #expect(!daemon.log.contains { $0.contains("configuration is in force") })
            try database.insertOrders(1)
            #expect(try await client.event()?.id == "1")
            #expect(try await daemon.feed("users").state == "live")
            // The next one that is in order counts.
            try write("{orders: {}}")
            try await reload(daemon)
            #expect(try await daemon.get("/feeds/users").status == 404)
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `another database, another state directory and back leave no file open`() async throws {
            let other = try TemporaryDatabase(journalMode: "wal")
            try other.insertOrders(5)
            let first = try write("{orders: {}}")
            let daemon = try await DaemonProcess.start(config: first)
            func open() throws -> [String] {
                try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.program.pid)/fd").compactMap {
                    try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(daemon.program.pid)/fd/\($0)")
                }.filter { $0.contains(".db") || $0.hasSuffix("/lock") || $0.contains("inotify") }.sorted()
            }
            // Also what reads behind the tail.
            try database.insertOrders(3)
            let client = try await stream("orders", after: "earliest")
            #expect(try await client.events(3).count == 3)
            try await eventually { try await daemon.feed().head == "3" }
            let before = try open()
            for round in 0..<5 {
                _ = try DaemonProcess.write(
                    """
                    listen: 127.0.0.1:\(port)
                    database: \(other.path)
                    state_directory: \(other.directory.file("state"))
                    feeds: {orders: {start: -2}}

                    """,
                    in: database.directory
                )
                try await reload(daemon, 2 * round + 1)
                #expect(try await stream("orders").events(2).map(\.id) == ["4", "5"])
                try await eventually { try open().allSatisfy { !$0.contains("\(database.directory.path)/") } }
                try write("{orders: {}}")
                try await reload(daemon, 2 * round + 2)
                #expect(try await daemon.feed().head == "3")
            }
            // What reads behind the tail opens its connections when they are needed. SQLite keeps the descriptor of one that
            // was closed while another had locks, and gives it to the next; one for each round would be five.
            try await eventually { try Set(open()) == Set(before) && open().count <= before.count + 1 }
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `intervals and log levels change without a stream noticing`() async throws {
            let daemon = try await DaemonProcess.start(
                config: try write("{orders: {}}", "wake_on_write: false\nlog: {level: warning, format: json}"),
                arguments: ["--log-level", "info"]
            )
            let client = try await stream("orders")
            _ = try await client.frame()
            // The flag goes on to count; the format is the file's.
            let config = try write("{orders: {}}", "wake_on_write: true\nlog: {level: error}")
            try String(contentsOfFile: config, encoding: .utf8).replacing(
                "poll_interval: 20ms",
                with: "poll_interval: 1h"
            )
            .write(toFile: config, atomically: true, encoding: .utf8)
            try await reload(daemon)
            #expect(daemon.log.first?.hasPrefix("{\"time\"") == true)
            #expect(daemon.log.last?.contains(" notice configuration is in force ") == true)
            // Nothing but the write itself wakes it up now.
            try database.insertOrders(1)
            #expect(try await client.event()?.id == "1")
            try write("{orders: {}}", "wake_on_write: false")
            try await reload(daemon, 2)
            try database.insertOrders(1)
            #expect(try await client.event()?.id == "2")
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a signal at the start counts once everything serves`() async throws {
            for _ in 0..<5 {
                let program = try DaemonProcess.run(["serve", "--config", try write("{orders: {}}")])
                try await program.errorLine("starting")
                program.signal(SIGHUP)
                try await program.errorLine("configuration is in force")
                let lines = program.state.value.errors
                #expect(lines.count { $0.contains("listening") } == 1)
                #expect(!lines.contains { $0.contains("refused") })
                program.signal(SIGTERM)
                #expect(try await program.end() == .exit(0))
            }
        }

        @Test func `a signal during the drain changes nothing`() async throws {
            let daemon = try await DaemonProcess.start(config: try write("{orders: {}}", "drain_timeout: 1m"))
            let stalled = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 4096)
            try await stalled.request("GET", "/feeds/orders")
            try await eventually { try await daemon.feed().subscribers == 1 }
            try database.connect().insertOrders(2000, bytes: 5000)
            try await daemon.becomesIdle(streams: 1)
            daemon.program.signal(SIGTERM)
            try await eventually { (try? await StreamClient.connect(port: port)) == nil }
            daemon.program.signal(SIGHUP)
            try await stalled.resumeReading()
            #expect(try await daemon.program.end() == .exit(0))
            #expect(!daemon.log.contains { $0.contains("configuration is in force") })
        }
    }
}
