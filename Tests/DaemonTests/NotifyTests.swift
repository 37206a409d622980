// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import Testing

extension DaemonTests {
    /// What the service manager is told.
    @Suite struct NotifyTests {
        private let database: TemporaryDatabase
        private let config: String

        init() throws {
            database = try TemporaryDatabase(journalMode: "delete")
            config = try DaemonProcess.write(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                poll_interval: 20ms
                feeds: {orders: {}, users: {table: later}}

                """,
                in: database.directory
            )
        }

        private func manager() throws -> (StandInManager, [String: String]) {
            let path = database.directory.file("notify")
            return (try StandInManager(path), ["NOTIFY_SOCKET": path])
        }

        /// Waits for a message that contains a text.
        @discardableResult
        private func message(_ text: String, to manager: StandInManager) async throws -> String {
            try await eventually("a message with '\(text)'") { manager.received().first { $0.contains(text) } }
        }

        @Test func `it is ready when it listens and each feed was polled, and says how it fares`() async throws {
            let (manager, environment) = try manager()
            // It can't be told apart yet whether the table is there.
            let lock = try ExclusiveLock(database.path)
            let daemon = try await DaemonProcess.start(config: config, environment: environment)
            let ready = try await message("READY=1", to: manager)
            #expect(
                ready == "READY=1\nSTATUS=0 of 2 feeds live, 0 streams, 0 rows behind; orders waiting, users waiting"
            )
            #expect(daemon.log.contains { $0.contains("listening") })
            try lock.release()
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            #expect(try await client.frame() != nil)
            let status = "STATUS=1 of 2 feeds live, 1 stream, 0 rows behind; users waiting"
            #expect(try await message("1 stream,", to: manager) == status)
            try await daemon.terminate()
            #expect(manager.received().last == "STOPPING=1")
        }

        @Test func `a reload is told of, whether it is refused or not`() async throws {
            let (manager, environment) = try manager()
            let daemon = try await DaemonProcess.start(config: config, environment: environment)
            try await message("READY=1", to: manager)
            for yaml in ["feeds: 7", "database: \(database.path)\nlisten: 127.0.0.1:0\nfeeds: {orders: {}}"] {
                _ = try DaemonProcess.write(yaml, in: database.directory)
                daemon.program.signal(SIGHUP)
                var messages: [String] = []
                try await eventually("both messages") {
                    messages += manager.received()
                    return messages.contains { $0.hasPrefix("READY=1") } ? true : nil
                }
                #expect(messages.first { !$0.hasPrefix("STATUS") }?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
                let last = try #require(messages.last { $0.hasPrefix("READY=1") })
                #expect(last.contains(yaml == "feeds: 7" ? "1 of 2 feeds live" : "1 feed live"), "\(last)")
            }
            try await daemon.terminate()
        }

        @Test func `ids as far apart as integers are don't end the daemon`() async throws {
            var (manager, environment) = try manager()
            environment["WATCHDOG_USEC"] = "200000"
            let text = String(repeating: "x", count: 100_000)
            try database.execute(
                """
                INSERT INTO orders (id, customer) SELECT value - 9223372036854775807, '\(text)' FROM generate_series(0, 99);
                INSERT INTO orders (id, customer) VALUES (9223372036854775807, 'last');
                """.replacing(
                    "FROM generate_series(0, 99)",
                    with: """
                        FROM (WITH RECURSIVE n(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < 99) SELECT value FROM n)
                        """
                )
            )
            let daemon = try await DaemonProcess.start(config: config, environment: environment)
            let stalled = try await StreamClient.connect(port: daemon.port, reads: false, receiveBuffer: 4096)
            try await stalled.request("GET", "/feeds/orders?since=earliest")
            try await message("1 stream, 1000000000000000000 rows behind", to: manager)
            try await message("WATCHDOG=1", to: manager)
            await stalled.close()
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a file that hangs at the start holds up neither the server nor the end`() async throws {
            let (manager, environment) = try manager()
            let (library, hold) = (try buildHoldReads(), database.directory.file("hold"))
            try Data().write(to: URL(fileURLWithPath: hold))
            let held = ["LD_PRELOAD": library, "HOLD_READS": hold]
            let daemon = try await DaemonProcess.start(config: config, environment: environment.merging(held) { $1 })
            #expect(try await daemon.get("/healthz").status == 200)
            #expect(!manager.received().contains { $0.contains("READY=1") })
            #expect(try await daemon.terminate() == .exit(1))
            #expect(daemon.log.contains { $0.contains("a poller hangs, ending without it") })
        }

        /// Builds what makes a disk hang.
        private func buildHoldReads() throws -> String {
            let library = database.directory.file("hold_reads.so")
            try Shell.run(
                "clang",
                ["-O1", "-shared", "-fPIC", "-o", library, TestPrograms.path("hold_reads.c"), "-ldl"]
            )
            return library
        }

        @Test func `the watchdog is fed while the poller answers, and not while it hangs`() async throws {
            let library = try buildHoldReads()
            // A reader that hangs would hold a writer up in the other modes.
            try database.execute("PRAGMA journal_mode = wal")
            var (manager, environment) = try manager()
            let hold = database.directory.file("hold")
            environment["WATCHDOG_USEC"] = "400000"
            environment["LD_PRELOAD"] = library
            environment["HOLD_READS"] = hold
            let daemon = try await DaemonProcess.start(config: config, environment: environment)
            for _ in 0..<3 { try await message("WATCHDOG=1", to: manager) }
            try Data().write(to: URL(fileURLWithPath: hold))
            try database.insertOrders(1)
            // One may be under way; then there are none, although the server answers.
            var quiet = 0
            try await eventually("a long silence", every: .milliseconds(50)) { () -> Bool? in
                quiet = manager.received().contains { $0.contains("WATCHDOG=1") } ? 0 : quiet + 1
                return quiet > 30 ? true : nil
            }
            #expect(try await daemon.get("/healthz").status == 200)
            try FileManager.default.removeItem(atPath: hold)
            try await message("WATCHDOG=1", to: manager)
            try await daemon.terminate()
        }
    }
}
