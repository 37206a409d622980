// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// What the daemon says on standard error.
    @Suite struct LogTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
        }

        private func start(_ yaml: String) async throws -> DaemonProcess {
            try await .start(config: try DaemonProcess.write("listen: 127.0.0.1:0\n\(yaml)", in: directory))
        }

        @Test func `each line of text begins with the time and the level`() async throws {
            let database = try TemporaryDatabase()
            let daemon = try await start("database: \(database.path)\nfeeds: {orders: {}}\n")
            try await daemon.logged("feed is live")
            try await daemon.terminate()
            let line = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (trace|debug|info|notice|warning|error|critical) .+/
            for text in daemon.log { #expect(text.wholeMatch(of: line) != nil, "\(text)") }
            #expect(
                daemon.log.contains {
                    $0.hasSuffix("info feed is live database=\(database.path) feed=orders head=earliest")
                }
            )
            #expect(daemon.program.state.value.output.isEmpty)
        }

        @Test func `each line of JSON is one object`() async throws {
            // A name that needs escapes.
            let name = "a \"b\" \\ cé.db"
            let database = try TemporaryDatabase(name: name)
            let yaml = "database: '\(database.path)'\nlog: {level: trace, format: json}\nfeeds: {orders: {}}\n"
            let daemon = try await start(yaml)
            try await daemon.logged("feed is live")
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            try database.insertOrders(1)
            _ = try await client.event()
            try await daemon.terminate()
            #expect(!daemon.log.isEmpty)
            var messages: [String] = []
            for text in daemon.log {
                let object = try #require(
                    try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String],
                    "\(text)"
                )
                for field in ["time", "level", "message"] { #expect(object[field]?.isEmpty == false, "\(text)") }
                messages.append(object["message"] ?? "")
                if object["message"] == "feed is live" { #expect(object["database"] == database.path) }
            }
            #expect(messages.contains("listening") && messages.contains("feed is live") && messages.contains("ended"))
        }

        @Test func `a log that nobody reads holds up neither rows nor the end`() async throws {
            let database = try TemporaryDatabase()
            let pipe = directory.file("log")
            try #require(mkfifo(pipe, 0o600) == 0)
            let reader = open(pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC)
            defer { close(reader) }
            while write(reader, Array(repeating: 32, count: 4096), 4096) > 0 {}
            let port = try DaemonProcess.freePort()
            let yaml = "listen: 127.0.0.1:\(port)\ndatabase: \(database.path)\nfeeds: {orders: {}}\n"
            let program = try DaemonProcess.run(
                ["serve", "--config", try DaemonProcess.write(yaml, in: directory)],
                under: ["sh", "-c", "exec \"$@\" 2>'\(pipe)'", "sh"]
            )
            let client = try await eventually("a stream") {
                try? await StreamClient.stream(port: port, "/feeds/orders", lastEventID: "earliest")
            }.0
            try database.insertOrders(1)
            #expect(try await client.event()?.id == "1")
            program.signal(SIGTERM)
            #expect(try await client.event()?.event == "rowtail.end")
            #expect(try await program.end() == .exit(0))
        }

        @Test func `a change of state is logged once`() async throws {
            let database = try TemporaryDatabase()
            let hidden = "\(database.path).hidden"
            try FileManager.default.moveItem(atPath: database.path, toPath: hidden)
            let daemon = try await start(
                "database: \(database.path)\npoll_interval: 10ms\nfeeds: {orders: {}, others: {table: orders}}\n"
            )
            try await daemon.logged("feed waits")
            // Many polls later, still one line a feed.
            try await eventually("50 polls") { try await daemon.metric("rowtail_polls_total") >= 100 ? true : nil }
            try FileManager.default.moveItem(atPath: hidden, toPath: database.path)
            try await daemon.logged("feed is live")
            try await eventually("50 polls") { try await daemon.metric("rowtail_polls_total") >= 250 ? true : nil }
            try await daemon.terminate()
            for feed in ["orders", "others"] {
                let lines = daemon.log.filter { $0.contains("feed=\(feed)") }
                #expect(lines.count == 2, "\(lines)")
                #expect(lines.first?.contains(" notice feed waits ") == true)
                #expect(lines.first?.contains("is not there yet; it is waited for") == true)
                #expect(lines.last?.contains(" info feed is live ") == true)
            }
        }

        @Test func `a lasting lock is logged once, and its end`() async throws {
            let database = try TemporaryDatabase(journalMode: "delete")
            let daemon = try await start("database: \(database.path)\npoll_interval: 10ms\nfeeds: {orders: {}}\n")
            try await daemon.logged("feed is live")
            let lock = try ExclusiveLock(database.path)
            try await daemon.logged("database is locked, trying again")
            let polls = try await daemon.metric("rowtail_polls_total")
            try await eventually("further polls") {
                try await daemon.metric("rowtail_polls_total") > polls + 20 ? true : nil
            }
            // A lock is no change of state: clients have all there is.
            #expect(try await daemon.feed().state == "live")
            try lock.release()
            try await daemon.logged("database answers again")
            try await daemon.terminate()
            #expect(daemon.log.count { $0.contains("database is locked") } == 1)
            #expect(daemon.log.count { $0.contains("database answers again") } == 1)
            #expect(daemon.log.count { $0.contains("feed is live") } == 1)
        }
    }
}
