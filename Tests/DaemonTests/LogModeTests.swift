// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// Mode `log` as an operator and clients see it.
    @Suite struct LogModeTests {
        private static let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)"

        private static func config(_ database: TemporaryDatabase, capture: String = "{}") throws -> String {
            try DaemonProcess.write(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                state_directory: \(database.directory.file("state"))
                poll_interval: 20ms
                feeds: {orders: {mode: log, capture: \(capture)}}
                """,
                in: database.directory
            )
        }

        private static func install(_ config: String) async throws {
            let program = try DaemonProcess.run(["capture", "install", "orders", "--config", config])
            #expect(try await program.end() == .exit(0))
        }

        @Test func `H16: a live client is told of a repair while the daemon runs`() async throws {
            let database = try TemporaryDatabase(Self.table)
            let config = try Self.config(database)
            let daemon = try await DaemonProcess.start(config: config)
            #expect(try await daemon.get("/readyz").body.contains(#""orders":"broken""#))
            try await Self.install(config)
            try await eventually("a live feed") { try await daemon.feed().state == "live" ? true : nil }
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            try database.shell("INSERT INTO orders VALUES (1, 'new')")
            #expect(try await client.event()?.id == "1")
            try database.shell("ALTER TABLE orders ADD COLUMN total REAL")
            let line = try await daemon.logged("feed is broken")
            #expect(line.contains("run 'rowtail capture install orders'"))
            try await Self.install(config)
            let reset = try #require(try await client.event())
            #expect(reset.event == "rowtail.reset")
            #expect(reset.data == #"{"feed":"orders","reason":"rewound","requested":"1","resumed_from":"1@1"}"#)
            try database.shell("UPDATE orders SET total = 0.1")
            #expect(
                try await client.event()?.data?.hasPrefix(
                    #"{"op":"update","key":{"id":1},"before":{"id":1,"state":"new","total":null},"after":{"id":1,"state":"new","total":0.1}"#
                ) == true
            )
            #expect(try await daemon.metric("rowtail_resets_total") == 1)
            // A client that was away at the time is told as well.
            let (late, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: "1")
            #expect(try await late.event()?.event == "rowtail.reset")
            try await daemon.terminate()
        }

        @Test func `the daemon prunes as often as it is told, and old ids are told so`() async throws {
            let database = try TemporaryDatabase(Self.table)
            let config = try Self.config(database, capture: "{retention_rows: 5, prune_interval: 1s}")
            try await Self.install(config)
            for id in 1...20 { try database.shell("INSERT INTO orders VALUES (\(id), 'new')") }
            let daemon = try await DaemonProcess.start(config: config)
            try await daemon.logged("log was pruned")
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: "3")
            let reset = try #require(try await client.event())
            #expect(reset.data == #"{"feed":"orders","reason":"pruned","requested":"3","resumed_from":"15"}"#)
            #expect(try await client.events(5).map(\.id) == (16...20).map(String.init))
            #expect(try await daemon.get("/feeds").body.contains(#""earliest":"15""#))
            #expect(try await daemon.get("/feeds/orders?last_event_id=3&on_reset=fail").status == 410)
            #expect(try await daemon.terminate() == .exit(0))
        }
    }
}
