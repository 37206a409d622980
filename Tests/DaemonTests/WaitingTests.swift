// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// What isn't there yet is waited for, and never created.
    @Suite struct WaitingTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
        }

        private func start(_ database: String, _ more: String = "") async throws -> DaemonProcess {
            let yaml = """
                listen: 127.0.0.1:0
                database: \(database)
                poll_interval: 20ms
                heartbeat_interval: 100ms
                feeds:
                  orders: {}

                """
            return try await .start(config: try DaemonProcess.write(yaml + more, in: directory))
        }

        private func ready(_ daemon: DaemonProcess) async throws {
            try await eventually("readiness") { try await daemon.get("/readyz").status == 200 ? true : nil }
        }

        @Test func `a missing database is waited for`() async throws {
            let path = directory.file("later.db")
            let daemon = try await start(path)
            let answer = try await daemon.get("/readyz")
            #expect(answer.status == 503)
            #expect(answer.body == "{\"ready\":false,\"feeds\":{\"orders\":\"waiting\"}}\n")
            #expect(try await daemon.get("/healthz").status == 200)
            let (client, head) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            #expect(head.status == 200)
            // It is kept open until there is something to tell.
            var frames: [StreamClient.Frame] = []
            while frames.count < 3, let frame = try await client.frame() { frames.append(frame) }
            #expect(frames.last?.comments == ["heartbeat"])
            #expect(!FileManager.default.fileExists(atPath: path))

            // It is read while it is made.
            let patience = ["-cmd", ".timeout 10000"]
            try Shell.run("sqlite3", patience + [path, "PRAGMA journal_mode = wal; \(TemporaryDatabase.orders)"])
            try await ready(daemon)
            try Shell.run("sqlite3", patience + [path, "INSERT INTO orders (customer) VALUES ('ada'), ('grace')"])
            let events = try await client.events(2)
            #expect(events.map(\.id) == ["1", "2"])
            #expect(events.first?.data == #"{"id":1,"customer":"ada","total":null}"#)
            try await daemon.terminate()
        }

        @Test func `rows that come with the database reach a stream that waited`() async throws {
            let path = directory.file("later.db")
            let daemon = try await start(path)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            _ = try await client.frame()
            let other = try TemporaryDatabase(journalMode: "delete")
            try other.insertOrders(3)
            try FileManager.default.moveItem(atPath: other.path, toPath: path)
            #expect(try await client.events(3).map(\.id) == ["1", "2", "3"])
            try await daemon.terminate()
        }

        @Test func `a missing table is waited for beside one that is there`() async throws {
            let database = try TemporaryDatabase()
            let daemon = try await start(database.path, "  users: {}\n")
            try await daemon.logged("feed is live")
            try await daemon.logged("feed waits")
            let answer = try await daemon.get("/readyz")
            #expect(answer.status == 503)
            #expect(answer.body == "{\"ready\":false,\"feeds\":{\"orders\":\"live\",\"users\":\"waiting\"}}\n")
            let (orders, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            let (users, _) = try await StreamClient.stream(port: daemon.port, "/feeds/users")
            _ = try await orders.frame()
            _ = try await users.frame()
            try database.insertOrders(1)
            #expect(try await orders.event()?.id == "1")
            try database.shell(
                "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (7, 'ada')"
            )
            #expect(try await users.event()?.data == #"{"id":7,"name":"ada"}"#)
            try await ready(daemon)
            try await daemon.terminate()
        }

        @Test func `a dropped table breaks its feed alone, and heals it when it is back`() async throws {
            let database = try TemporaryDatabase(
                journalMode: "wal",
                TemporaryDatabase.orders + "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);"
            )
            let daemon = try await start(database.path, "  users: {}\n")
            try await ready(daemon)
            try database.shell("DROP TABLE users")
            try await daemon.logged("feed is broken")
            #expect(try await daemon.feed("users").state == "broken")
            #expect(try await daemon.feed("users").lastError?.contains("'users' was dropped") == true)
            #expect(try await daemon.feed("orders").state == "live")
            try database.shell("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
            try await ready(daemon)
            try await daemon.terminate()
        }
    }
}
