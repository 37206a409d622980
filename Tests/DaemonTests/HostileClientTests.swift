// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// Clients that mean harm cost the daemon little, and the others nothing: `scripts/test-hostile` has more of each.
    @Suite struct HostileClientTests {
        private static let program = TestPrograms.path("attack_http1.py")

        private let database: TemporaryDatabase

        init() throws {
            database = try TemporaryDatabase()
            try ProcessFigures.raiseOpenFiles()
        }

        private func start(_ more: String = "") async throws -> DaemonProcess {
            let yaml = "listen: 127.0.0.1:0\ndatabase: \(database.path)\nfeeds: {orders: {}}\n\(more)"
            let daemon = try await DaemonProcess.start(config: try DaemonProcess.write(yaml, in: database.directory))
            try await daemon.logged("feed is live")
            return daemon
        }

        /// Runs an attack while a client follows the feed, row by row; returns what the attack counted.
        private func attack(_ daemon: DaemonProcess, _ arguments: [String]) async throws -> [String: Int] {
            let attack = try RunningProgram("python3", arguments)
            let follower = StreamFollower(port: daemon.port, "/feeds/orders?since=earliest")
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await follower.connect() }
                let writer = try database.connect()
                let newest = try database.shell("SELECT max(id) FROM orders").split(whereSeparator: \.isNewline).last
                var rows = try #require(newest.flatMap { Int64($0) })
                while attack.state.value.end == nil {
                    try writer.insertOrders(1, bytes: 10)
                    rows += 1
                    let last = rows
                    // A second is what an operator would notice; a busy machine may take its time.
                    _ = try await follower.state.until("row \(last)", within: .seconds(20)) { state in
                        state.rows.last == last ? true : nil
                    }
                }
                #expect(follower.state.value.rows == Array(1...rows))
                #expect(follower.state.value.faults.isEmpty && follower.state.value.connections == 1)
                group.cancelAll()
                #expect(try await attack.end() == .exit(0), "\(attack.state.value)")
                let line = try #require(attack.state.value.output.last)
                return try JSONDecoder().decode([String: Int].self, from: Data(line.utf8))
            }
        }

        @Test(
            arguments: [
                "slow-heads", "byte-by-byte", "endless-heads", "many-fields", "bodies", "chunked-bodies", "garbage",
                "tls-on-plain",
                "empty-lines", "connects", "half-heads", "never-read", "pipeline", "pipeline-unread",
                "pipeline-behind-stream",
                "metrics", "metrics-read", "resets", "upgrades",
            ]
        )
        func `S8: an attack costs the daemon little and others nothing`(_ name: String) async throws {
            try database.connect().insertOrders(1000, bytes: 500)
            let daemon = try await start("limits: {request_timeout: 2s}\n")
            // What the first clients have it allocate is no matter of the attack.
            _ = try await attack(
                daemon,
                [Self.program, "connects", "\(daemon.port)", "--seconds", "0.1", "--count", "20"]
            )
            let memory = try ProcessFigures.residentBytes(daemon.program.pid, .anonymous)
            let files = try ProcessFigures.openFiles(daemon.program.pid)

            // Ten thousand take more descriptors than every machine gives to a user.
            let count = name == "half-heads" ? ["--count", "3000"] : []
            let figures = try await attack(daemon, [Self.program, name, "\(daemon.port)", "--seconds", "2"] + count)

            let growth = (try ProcessFigures.residentBytes(daemon.program.pid, .anonymous) - memory) >> 20
            print("\(name): \(growth) MiB more, \(figures)")
            #expect(figures["opened", default: 0] > 0 && figures["refused"] == 0)
            #expect(growth < 64)
            try await eventually("all descriptors back", every: .milliseconds(20)) {
                // The connections to the database that replays opened stay.
                try ProcessFigures.openFiles(daemon.program.pid) <= files + 16 ? true : nil
            }
            #expect(try await daemon.get("/readyz").status == 200)
            #expect(try await daemon.terminate() == .exit(0))
        }
    }
}
