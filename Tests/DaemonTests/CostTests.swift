// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// What must stay cheap, counted rather than timed: allocations, bytes and reads of the table.
    ///
    /// The ceilings are about twice what the debug build takes; `scripts/bench` measures the release build.
    @Suite struct CostTests {
        private let database: TemporaryDatabase
        private let counts: AllocationCounts

        init() throws {
            database = try TemporaryDatabase()
            counts = try AllocationCounts(in: database.directory)
            try ProcessFigures.raiseOpenFiles()
        }

        private func start(_ more: String) async throws -> DaemonProcess {
            let yaml = "listen: 127.0.0.1:0\ndatabase: \(database.path)\nfeeds: {orders: {}}\n\(more)"
            let config = try DaemonProcess.write(yaml, in: database.directory)
            let daemon = try await DaemonProcess.start(config: config, environment: counts.environment)
            try await daemon.logged("feed is live")
            return daemon
        }

        private func streams(_ count: Int, of daemon: DaemonProcess) async throws -> [StreamClient] {
            var clients: [StreamClient] = []
            for _ in 0..<count {
                let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
                _ = try await client.frame()
                clients.append(client)
            }
            return clients
        }

        /// Adds rows one by one, each when all have the one before.
        private func publish(_ rows: Int, to clients: [StreamClient]) async throws {
            for _ in 0..<rows {
                try database.insertOrders(1)
                for client in clients { _ = try await client.event() }
            }
        }

        @Test func `an event that is delivered allocates nothing`() async throws {
            let daemon = try await start("poll_interval: 1h\n")
            var clients = try await streams(50, of: daemon)
            var perEvent: [Double] = []
            for more in [0, 1000] {
                clients += try await streams(more, of: daemon)
                // What grows with the streams has grown by then.
                try await publish(3, to: clients)
                let before = try counts.value()
                try await publish(20, to: clients)
                perEvent.append(Double(try counts.value() - before) / 20)
            }
            let perDelivery = (perEvent[1] - perEvent[0]) / 1000
            print("allocations: \(perEvent[0]) per event, \(perDelivery) per delivery")
            // A few polls more or less, for 1000 deliveries more.
            #expect(perDelivery < 0.5)
            #expect(perEvent[0] < 1000)
            for client in clients { await client.close() }
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a quiet poll allocates little`() async throws {
            let daemon = try await start("poll_interval: 10ms\nwake_on_write: false\n")
            var perPoll: [Double] = []
            for _ in 0..<4 {
                // Asking costs as well, each time the same.
                var looks: [(allocations: Int, polls: Double)] = []
                for wait in [0, 0, 1] {
                    try await ContinuousClock().sleep(for: .seconds(wait))
                    let polls = try await daemon.metric("rowtail_polls_total")
                    looks.append((try counts.value(), polls))
                }
                let polls = looks[2].polls - looks[1].polls - (looks[1].polls - looks[0].polls)
                let allocations =
                    looks[2].allocations - looks[1].allocations - (looks[1].allocations - looks[0].allocations)
                #expect(polls > 10)
                perPoll.append(Double(allocations) / polls)
            }
            print("allocations: \(perPoll) per quiet poll")
            // What happens once, such as the end of the start, makes one of them odd, either way.
            #expect(perPoll.sorted()[1] < 100)
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `an idle stream takes little memory`() async throws {
            let daemon = try await start("poll_interval: 1h\n")
            var clients = try await streams(200, of: daemon)
            try await publish(3, to: clients)
            let before = try ProcessFigures.residentBytes(daemon.program.pid, .anonymous)
            clients += try await streams(2000, of: daemon)
            let perStream = (try ProcessFigures.residentBytes(daemon.program.pid, .anonymous) - before) / 2000
            print("memory: \(perStream) bytes per idle stream")
            #expect(perStream < 7 << 10)
            for client in clients { await client.close() }
            #expect(try await daemon.terminate() == .exit(0))
        }
    }
}

/// A daemon's allocations, counted by a library that is loaded before the C library.
private struct AllocationCounts {
    /// What the daemon's environment needs.
    let environment: [String: String]
    private let file: String

    init(in directory: TemporaryDirectory) throws {
        let library = directory.file("count_allocations.so")
        try Shell.run(
            "clang",
            ["-O1", "-shared", "-fPIC", "-o", library, TestPrograms.path("count_allocations.c")]
        )
        file = directory.file("allocations")
        try Data(count: MemoryLayout<UInt64>.size).write(to: URL(fileURLWithPath: file))
        environment = ["LD_PRELOAD": library, "ALLOCATION_COUNT": file]
    }

    /// The count at this moment.
    func value() throws -> Int {
        let data = try Data(contentsOf: URL(fileURLWithPath: file))
        return data.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
    }
}
