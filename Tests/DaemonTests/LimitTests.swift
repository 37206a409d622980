// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// What the kernel has too little of, and what must stay small.
    @Suite struct LimitTests {
        private let database: TemporaryDatabase
        private let directory: TemporaryDirectory

        init() throws {
            database = try TemporaryDatabase()
            directory = try TemporaryDirectory()
        }

        private func start(_ more: String = "", under wrapper: [String] = []) async throws -> DaemonProcess {
            let yaml = "listen: 127.0.0.1:0\ndatabase: \(database.path)\nfeeds: {orders: {}}\n\(more)"
            return try await .start(config: try DaemonProcess.write(yaml, in: directory), under: wrapper)
        }

        @Test func `without descriptors the daemon waits, and serves again when there are some`() async throws {
            let daemon = try await start(under: ["prlimit", "--nofile=40:40"])
            try await daemon.logged("feed is live")
            let first = StreamFollower(port: daemon.port, "/feeds/orders")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await first.connect() }
                _ = try await first.state.until("the first stream") { $0.firstID }
                let crowd = (0..<100).map { _ in StreamFollower(port: daemon.port, "/feeds/orders") }
                for follower in crowd { group.addTask { await follower.connect() } }
                try await daemon.logged("can't accept connections, trying again")

                // Neither busy nor talkative while it waits.
                let load = try await ProcessFigures.load(daemon.program.pid, over: .seconds(2))
                #expect(load < 0.5, "\(load)")
                #expect(daemon.log.count { $0.contains("can't accept") } == 1, "\(daemon.log)")
                // Streams that are open go on.
                try database.insertOrders(1)
                _ = try await first.state.until("a row") { $0.rows == [1] ? true : nil }

                group.cancelAll()
                try await group.waitForAll()
            }
            try await daemon.logged("connections are accepted again")
            try await eventually("an answer") { (try? await daemon.get("/readyz"))?.status == 200 ? true : nil }
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders", lastEventID: "0")
            #expect(try await client.event()?.id == "1")
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a quiet database costs next to nothing at the shortest interval`() async throws {
            let daemon = try await start("poll_interval: 10ms\n")
            try await daemon.logged("feed is live")
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            _ = try await client.frame()
            let polls = try await daemon.metric("rowtail_polls_total")
            let load = try await ProcessFigures.load(daemon.program.pid, over: .seconds(4))
            let polled = try await daemon.metric("rowtail_polls_total") - polls
            print("idle at 10 ms: \(load * 100) % of a processor, \(polled) polls in 4 s")
            // Timings don't decide a test: this is ten times what a release build may take; see scripts/bench.
            #expect(load < 0.1)
            #expect(polled > 100 && polled < 500)
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `stalled clients cost neither memory nor the application's log`() async throws {
            let isSoak = ProcessInfo.processInfo.environment["ROWTAIL_SOAK"] == "1"
            let time = Duration.seconds(isSoak ? 60 : 8)
            let daemon = try await start("poll_interval: 50ms\ntail_bytes: 4MiB\nlimits: {write_timeout: 10m}\n")
            try await daemon.logged("feed is live")
            // The buffers of a tail are full at the beginning, as they would be after a while.
            let writer = try database.connect()
            try writer.insertOrders(2000, bytes: 1000)
            let healthy = StreamFollower(port: daemon.port, "/feeds/orders?since=earliest")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await healthy.connect() }
                _ = try await healthy.state.until("all rows") { $0.rows.count == 2000 ? true : nil }
                var stalled: [StreamClient] = []
                for _ in 0..<200 {
                    let client = try await StreamClient.connect(port: daemon.port, reads: false, receiveBuffer: 4096)
                    try await client.request("GET", "/feeds/orders")
                    stalled.append(client)
                }
                try await eventually("all streams") { try await daemon.feed().subscribers == 201 ? true : nil }
                let before = try ProcessFigures.residentBytes(daemon.program.pid)

                var (rows, most, longestLog) = (2000, 0, 0)
                let deadline = ContinuousClock.now + time
                while .now < deadline {
                    try writer.insertOrders(200, bytes: 1000)
                    rows += 200
                    most = max(most, try ProcessFigures.residentBytes(daemon.program.pid))
                    longestLog = max(longestLog, fileSize("\(database.path)-wal"))
                    // As fast as a healthy client follows.
                    let count = rows
                    _ = try await healthy.state.until("row \(count)") { $0.rows.count >= count ? true : nil }
                }
                let grown = (most - before) >> 20
                print("\(rows) rows, \(grown) MiB more, log of \(longestLog >> 20) MiB at most")
                #expect(grown < 50)
                // The application's own checkpoints at 4 MiB come through: no reader holds them up for long.
                #expect(longestLog < 16 << 20)
                #expect(healthy.state.value.rows == Array(1...Int64(rows)))
                #expect(healthy.state.value.faults.isEmpty)

                // One that reads again gets what it missed.
                let late = try #require(stalled.first)
                try await late.resumeReading()
                #expect(try await late.head().status == 200)
                #expect(try await late.events(5000).map(\.id) == (2001...7000).map(String.init))
                group.cancelAll()
                for client in stalled { await client.close() }
                try await group.waitForAll()
            }
            #expect(try await daemon.terminate() == .exit(0))
        }

        private func fileSize(_ path: String) -> Int {
            ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0
        }
    }
}
