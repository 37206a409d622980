// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

// Each in a process of its own, as it looks at what the process takes.
@Suite(.timeLimit(.minutes(1)))
struct MemoryTests {
    @Test func `S8: what is sent behind an endless stream takes no memory`() async throws {
        await #expect(processExitsWith: .success) {
            let table = HandFedTable(rows: 3)
            try await withServer(feeds: [table.feed]) { _, port in
                let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
                let requests = String(repeating: get("/healthz"), count: 20_000)
                try await expectGrowth(below: 24 << 20) {
                    for _ in 0..<64 { try await client.send(requests) }
                }
                table.publish()
                #expect(try await client.event()?.id == "4")
            }
        }
    }

    @Test func `S8: a connection takes no memory for requests that were answered`() async throws {
        await #expect(processExitsWith: .success) {
            try await withServer(feeds: [HandFedTable(rows: 3).feed]) { _, port in
                let client = try await StreamClient.connect(port: port)
                let requests = String(repeating: get("/healthz?\(String(repeating: "x", count: 15_000))"), count: 100)
                try await expectGrowth(below: 24 << 20) {
                    for _ in 0..<32 {
                        async let sent: Void = client.send(requests)
                        for _ in 0..<100 { _ = try await client.answer() }
                        try await sent
                    }
                }
            }
        }
    }

    @Test func `S8: empty lines before a request take no memory`() async throws {
        await #expect(processExitsWith: .success) {
            let options = ServerOptions.with { $0.limits.requestTimeout = nil }
            try await withServer(feeds: [HandFedTable(rows: 3).feed], options: options) { _, port in
                let client = try await StreamClient.connect(port: port)
                let lines = String(repeating: "\r\n", count: 1 << 19)
                try await expectGrowth(below: 24 << 20) {
                    for _ in 0..<48 { try await client.send(lines) }
                    #expect(try await client.ask("/healthz").head.status == 200)
                }
            }
        }
    }

    @Test func `S8: answers that a client doesn't read aren't made`() async throws {
        await #expect(processExitsWith: .success) {
            try await withServer(feeds: [HandFedTable(rows: 3).feed]) { _, port in
                let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 4096)
                let requests = String(repeating: get("/metrics"), count: 100_000)
                try await expectGrowth(below: 24 << 20) {
                    async let sent: Void = client.send(requests)
                    // Others are served meanwhile.
                    for _ in 0..<200 { _ = try await StreamClient.ask(port: port, "/healthz") }
                    try await client.reset()
                    try? await sent
                }
            }
        }
    }

    @Test func `S3: stalled clients take no memory, and go on exactly when they read again`() async throws {
        await #expect(processExitsWith: .success) {
            let source = InMemoryFeedSource(padding: 1000)
            let table = HandFedTable(source: source) { $0.tailBytes = 256 << 10 }
            try await withServer(feeds: [table.feed], threads: 2) { _, port in
                var stalled: [StreamClient] = []
                for _ in 0..<200 {
                    let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 4096)
                    try await client.request("GET", "/feeds/orders?since=earliest")
                    stalled.append(client)
                }
                try await eventually { table.feed.subscriberCount == 200 }
                let (reading, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest")
                let rows: Int64 = 16_000
                // 16 MB of rows: the sockets, which are not in this, take some for each client, and the rest waits in
                // the table. Kept for each client it would be 3 GB.
                try await expectGrowth(below: 48 << 20) {
                    for _ in 0..<(rows / 100) {
                        table.publish(100)
                        _ = try await reading.events(100)
                    }
                }
                #expect(table.feed.subscriberCount == 201)
                for client in [stalled[0], stalled[77], stalled[199]] {
                    try await client.resumeReading()
                    _ = try await client.head()
                    let events = try await client.events(Int(rows))
                    #expect(events.map(\.id) == (1...rows).map { "\($0)" })
                    #expect(events.allSatisfy { $0.data?.utf8.count ?? 0 > 1000 })
                }
            }
        }
    }
}

private func get(_ path: String) -> String {
    "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
}

/// Expects this process to take little more memory after some work than before.
private func expectGrowth(below bound: Int, _ work: () async throws -> Void) async throws {
    let before = try ResidentMemory.now()
    try await work()
    let growth = try ResidentMemory.now() - before
    #expect(growth < bound, "\(growth)")
}
