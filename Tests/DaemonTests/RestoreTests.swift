// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// A database that is replaced while the daemon runs, or while it doesn't.
    @Suite struct RestoreTests {
        private static func config(_ database: TemporaryDatabase) throws -> String {
            try DaemonProcess.write(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                state_directory: \(database.directory.file("state"))
                poll_interval: 20ms
                feeds: {orders: {}}
                """,
                in: database.directory
            )
        }

        /// Puts a file in the place of the database, as an administrator does who restores a backup.
        private static func restore(_ copy: String, over database: TemporaryDatabase) throws {
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: database.path + suffix) }
            try #require(rename(copy, database.path) == 0)
        }

        /// Waits until the anchors of a row are stored, which happens within a second of its being served.
        private static func storesAnchors(of database: TemporaryDatabase, at row: Int) async throws {
            let file = database.directory.file("state/orders.state")
            try await eventually("anchors at row \(row)") {
                let text = try? String(contentsOfFile: file, encoding: .utf8)
                return text?.contains("\"position\":\"\(row)\"") == true ? true : nil
            }
        }

        /// Reads what follows a break: a reset, then rows of the new history without a gap.
        private static func expectRewound(_ client: StreamClient, requested: String, last: Int64) async throws {
            let reset = try #require(try await client.event())
            #expect(reset.event == "rowtail.reset", "\(reset)")
            let data = try #require(reset.data)
            #expect(data.contains(#""reason":"rewound","requested":"\#(requested)""#), "\(data)")
            // The newest row that is surely shared: at most the last one of the copy.
            let base = try #require(reset.id.flatMap { Int64($0.prefix { $0 != "@" }) })
            #expect(base <= 30 && base > 15 && reset.id == "\(base)@1", "\(reset)")
            #expect(data.contains(#""resumed_from":"\#(base)@1""#), "\(data)")
            let events = try await client.events(Int(last - base))
            #expect(events.map(\.id) == ((base + 1)...last).map { "\($0)@1" })
            for event in events.suffix(Int(last) - 30) { #expect(event.data?.contains("restored") == true) }
        }

        @Test(arguments: ["wal", "delete"])
        func `an older copy put in place while the daemon runs rewinds live and resuming clients`(
            journalMode: String
        ) async throws {
            let database = try TemporaryDatabase(journalMode: journalMode)
            let copy = database.directory.file("backup.db")
            try database.insertOrders(30)
            try database.shell(".backup '\(copy)'")
            try database.insertOrders(10)
            let daemon = try await DaemonProcess.start(config: try Self.config(database))
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders?since=earliest")
            #expect(try await client.events(40).last?.id == "40")
            try await Self.storesAnchors(of: database, at: 40)

            try Self.restore(copy, over: database)
            try await daemon.logged("history broke, a new generation begins")
            try database.insertOrders(5, customer: "restored")
            try await Self.expectRewound(client, requested: "40", last: 35)
            // A client that was away at the time.
            let (late, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: "40")
            try await Self.expectRewound(late, requested: "40", last: 35)
            // One that has no row of those that went away misses nothing and is told nothing.
            let (early, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: "7")
            #expect(try await early.events(28).map(\.id) == (8...35).map { "\($0)@1" })
            #expect(try await daemon.feed().generation == 1)
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test(arguments: [5, 15])
        func `an older copy put in place while the daemon is down rewinds, also when it has grown past the head`(
            added: Int
        ) async throws {
            let database = try TemporaryDatabase()
            let config = try Self.config(database)
            let copy = database.directory.file("backup.db")
            try database.insertOrders(30)
            try database.shell(".backup '\(copy)'")
            try database.insertOrders(10)
            let first = try await DaemonProcess.start(config: config)
            let (client, _) = try await StreamClient.stream(port: first.port, "/feeds/orders?since=-3")
            #expect(try await client.events(3).last?.id == "40")
            #expect(try await first.terminate() == .exit(0))

            try Self.restore(copy, over: database)
            try database.insertOrders(added, customer: "restored")
            let second = try await DaemonProcess.start(config: config)
            let (late, _) = try await StreamClient.stream(port: second.port, "/feeds/orders", lastEventID: "40")
            try await Self.expectRewound(late, requested: "40", last: 30 + Int64(added))
            try await second.terminate()

            // The generation outlives its daemon, however that ends.
            let third = try await DaemonProcess.start(config: config)
            let (again, _) = try await StreamClient.stream(port: third.port, "/feeds/orders", lastEventID: "40")
            try await Self.expectRewound(again, requested: "40", last: 30 + Int64(added))
            try await third.kill()
            let fourth = try await DaemonProcess.start(config: config)
            let (exact, _) = try await StreamClient.stream(port: fourth.port, "/feeds/orders", lastEventID: "31@1")
            #expect(try await exact.event()?.id == "32@1")
            try await fourth.terminate()
        }

        @Test func `the same content in another file is no break`() async throws {
            let database = try TemporaryDatabase()
            let config = try Self.config(database)
            let copy = database.directory.file("copy.db")
            try database.insertOrders(10)
            let daemon = try await DaemonProcess.start(config: config)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders?since=earliest")
            #expect(try await client.events(10).last?.id == "10")
            try database.shell(".backup '\(copy)'")
            try Self.restore(copy, over: database)
            try database.insertOrders(2)
            #expect(try await client.events(2).map(\.id) == ["11", "12"])
            try await daemon.kill()
            try database.shell(".backup '\(copy)'")
            try Self.restore(copy, over: database)
            try database.insertOrders(2)
            let second = try await DaemonProcess.start(config: config)
            let (late, _) = try await StreamClient.stream(port: second.port, "/feeds/orders", lastEventID: "12")
            #expect(try await late.events(2).map(\.id) == ["13", "14"])
            try await second.terminate()
        }

        @Test func `another database in its place is told as replaced`() async throws {
            let database = try TemporaryDatabase()
            let other = try TemporaryDatabase()
            try database.insertOrders(10)
            try other.insertOrders(12, customer: "other")
            let daemon = try await DaemonProcess.start(config: try Self.config(database))
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders?since=earliest")
            #expect(try await client.events(10).last?.id == "10")
            try await Self.storesAnchors(of: database, at: 10)
            try Self.restore(other.path, over: database)
            let reset = try #require(try await client.event())
            #expect(reset.event == "rowtail.reset" && reset.id == "earliest@1", "\(reset)")
            #expect(reset.data?.contains(#""reason":"replaced","requested":"10","resumed_from":"earliest@1""#) == true)
            #expect(try await client.events(12).map(\.id) == (1...12).map { "\($0)@1" })
            try await daemon.terminate()
        }

        @Test(arguments: ["", "{\"torn\":", "0000"])
        func `a torn state file breaks its feed until it is removed`(content: String) async throws {
            let database = try TemporaryDatabase()
            let config = try Self.config(database)
            try database.insertOrders(3)
            let first = try await DaemonProcess.start(config: config)
            try await first.logged("feed is live")
            #expect(try await first.terminate() == .exit(0))
            let file = database.directory.file("state/orders.state")
            try #require(FileManager.default.fileExists(atPath: file))
            try content.write(toFile: file, atomically: false, encoding: .utf8)

            let second = try await DaemonProcess.start(config: config)
            try await second.logged("feed is broken")
            let feed = try await second.feed()
            #expect(feed.state == "broken")
            #expect(feed.lastError?.contains("'\(file)' is torn or was not written by rowtail; restore it") == true)
            #expect(try await second.get("/readyz").status == 503)
            // A stream waits, and is told nothing that guesses.
            let (client, head) = try await StreamClient.stream(port: second.port, "/feeds/orders", lastEventID: "2")
            #expect(head.status == 200)
            #expect(try await client.frame()?.id == nil)
            // What can't be read is not written over.
            #expect(try String(contentsOfFile: file, encoding: .utf8) == content)
            try FileManager.default.removeItem(atPath: file)
            try await second.logged("feed is live")
            #expect(try await client.event()?.id == "3")
            #expect(try await second.get("/readyz").status == 200)
            #expect(try await second.terminate() == .exit(0))
            #expect(second.log.count { $0.contains("feed is broken") } == 1)
        }
    }
}
