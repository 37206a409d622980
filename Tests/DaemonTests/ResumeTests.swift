// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// Resuming where the daemon that comes back knows less than its clients.
    @Suite struct ResumeTests {
        private let database: TemporaryDatabase
        private let config: String

        init() throws {
            database = try TemporaryDatabase(journalMode: "delete")
            try database.insertOrders(3)
            config = try DaemonProcess.write(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                state_directory: \(database.directory.file("state"))
                poll_interval: 20ms
                heartbeat_interval: 100ms
                feeds: {orders: {}}
                """,
                in: database.directory
            )
        }

        /// Has a daemon store row 3 as the newest, then adds rows of which only the clients know.
        private func fallBehind() async throws {
            let daemon = try await DaemonProcess.start(config: config)
            try await daemon.logged("feed is live")
            try await daemon.terminate()
            try database.insertOrders(3)
        }

        private func resume(_ daemon: DaemonProcess) async throws -> StreamClient {
            let (client, head) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: "5")
            #expect(head.status == 200)
            // Open, and told nothing that it would have to take back.
            var frame = try await client.frame()
            while frame?.comments != ["heartbeat"] {
                #expect(frame?.id == nil && frame?.data == nil)
                frame = try await client.frame()
            }
            return client
        }

        @Test func `an id newer than the stored head waits for a lock`() async throws {
            try await fallBehind()
            let lock = try ExclusiveLock(database.path)
            let daemon = try await DaemonProcess.start(config: config)
            let client = try await resume(daemon)
            try lock.release()
            #expect(try await client.event()?.id == "6")
            try database.insertOrders(1)
            #expect(try await client.event()?.id == "7")
            try await daemon.terminate()
        }

        @Test func `an id newer than the stored head waits for the file`() async throws {
            try await fallBehind()
            let hidden = "\(database.path).hidden"
            try FileManager.default.moveItem(atPath: database.path, toPath: hidden)
            let daemon = try await DaemonProcess.start(config: config)
            let client = try await resume(daemon)
            try FileManager.default.moveItem(atPath: hidden, toPath: database.path)
            #expect(try await client.event()?.id == "6")
            try await daemon.terminate()
        }

        @Test func `an id newer than every row is still told so after a lock`() async throws {
            let lock = try ExclusiveLock(database.path)
            let daemon = try await DaemonProcess.start(config: config)
            let client = try await resume(daemon)
            try lock.release()
            let reset = try #require(try await client.event())
            #expect(reset.event == "rowtail.reset" && reset.data?.contains(#""reason":"ahead""#) == true)
            #expect(try await client.events(3).map(\.id) == ["1", "2", "3"])
            try await daemon.terminate()
        }
    }
}
