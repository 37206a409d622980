// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// Everything goes wrong at once: clients are cut off, the daemon is ended and killed, while another program writes.
    ///
    /// What happens follows from a seed, which is printed; `ROWTAIL_CHAOS_SEED` sets it. When it happens is up to the machine.
    @Suite struct ChaosTests {
        private static let rows: Int64 = 20_000
        private static let clients = 20
        private static let restarts = 8

        @Test(arguments: ["wal", "delete"])
        func `each client ends with exactly the rows from where it began`(journalMode: String) async throws {
            let given = ProcessInfo.processInfo.environment["ROWTAIL_CHAOS_SEED"].flatMap { UInt64($0) }
            let seed = given ?? UInt64.random(in: 0..<1_000_000)
            print("ROWTAIL_CHAOS_SEED=\(seed) journal mode \(journalMode)")
            var random = SeededGenerator(seed: seed)

            let database = try TemporaryDatabase(journalMode: journalMode)
            try database.insertOrders(50)
            let directory = try TemporaryDirectory()
            let port = try DaemonProcess.freePort()
            let config = try DaemonProcess.write(
                """
                listen: 127.0.0.1:\(port)
                database: \(database.path)
                state_directory: \(directory.file("state"))
                poll_interval: 20ms
                # Small, so that clients fall behind the tail and are served from the table.
                tail_bytes: 64KiB
                page_rows: 100
                drain_timeout: 2s
                feeds: {orders: {}}
                """,
                in: directory
            )

            let daemon = try await DaemonProcess.start(config: config)
            let followers = (0..<Self.clients).map { number in
                let start = ["?since=earliest", "?since=latest", "?since=-10", ""][number % 4]
                return StreamFollower(port: port, "/feeds/orders\(start)", lastEventID: number % 4 == 3 ? "7" : nil)
            }
            let writer = try RunningProgram(
                "python3",
                [TestPrograms.path("write_rows.py"), database.path, "\(Self.rows - 50)", "\(seed)", "150", "0.06"]
            )
            let seeds = followers.map { _ in random.next() }
            let pauses = (0..<Self.restarts).map { _ in
                Duration.milliseconds(Int.random(in: 200...1200, using: &random))
            }
            let kills = (0..<Self.restarts).map { _ in Bool.random(using: &random) }

            try await withThrowingTaskGroup(of: Void.self) { group in
                for (follower, seed) in zip(followers, seeds) {
                    group.addTask { await Self.follow(follower, seed) }
                }
                group.addTask {
                    var daemon = daemon
                    for (pause, isKilled) in zip(pauses, kills) {
                        try await ContinuousClock().sleep(for: pause)
                        if isKilled {
                            try await daemon.kill()
                        } else {
                            let end = try await daemon.terminate()
                            #expect(end == .exit(0), "\(daemon.log)")
                        }
                        daemon = try await DaemonProcess.start(config: config)
                    }
                    #expect(try await writer.end(within: .seconds(90)) == .exit(0), "\(writer.state.value)")
                    for follower in followers {
                        _ = try await follower.state.until("the last row", within: .seconds(60)) {
                            $0.rows.last == Self.rows ? true : nil
                        }
                    }
                    #expect(try await daemon.terminate() == .exit(0))
                    for line in daemon.log where line.contains(" error ") || line.contains("history broke") {
                        Issue.record("\(line)")
                    }
                }
                try await group.waitForAll()
            }
            for (number, follower) in followers.enumerated() {
                try Self.check(follower.state.value, "client \(number), seed \(seed)")
            }
        }

        /// Follows to the last row, cut off after random numbers of bytes, and sometimes not at all.
        private static func follow(_ follower: StreamFollower, _ seed: UInt64) async {
            var random = SeededGenerator(seed: seed)
            await follower.follow(to: rows, retry: .milliseconds(30)) {
                Int.random(in: 0..<3, using: &random) == 0
                    ? nil : Int.random(in: 1...Int.random(in: 2...400_000, using: &random), using: &random)
            }
        }

        private static func check(_ state: StreamFollower.State, _ name: String) throws {
            let first = try #require(state.firstID, "\(name): \(state)")
            // A stream that begins where it is told to says so first; a resumed one goes on after its id.
            let began = first == "earliest" ? 0 : try #require(Int64(first))
            #expect(state.faults.isEmpty, "\(name): \(state.faults)")
            #expect(state.controls.allSatisfy { $0.event == "rowtail.end" }, "\(name): \(state.controls)")
            #expect(state.connections > 1, "\(name)")
            guard state.rows != Array((began + 1)...rows) else { return }
            let wrong = zip(state.rows, (began + 1)...rows).first { $0 != $1 }
            Issue.record("\(name): \(state), first difference \(wrong.map { "\($0)" } ?? "none")")
        }
    }
}
