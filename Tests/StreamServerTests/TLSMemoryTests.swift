// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

// Each in a process of its own, as it looks at what the process takes.
@Suite(.timeLimit(.minutes(2)))
struct TLSMemoryTests {
    private static let rows: Int64 = 16_000

    /// 16 MB of rows in all, of which the tail holds little, and a page that was read for one subscriber less.
    private static func table() -> HandFedTable {
        HandFedTable(source: InMemoryFeedSource(pageRows: 20, padding: 1000)) { $0.tailBytes = 256 << 10 }
    }

    /// Publishes all rows to a client that reads, and expects little to be kept for those that don't.
    private static func publish(_ table: HandFedTable, to reading: some FrameReader) async throws {
        // Until everyone holds what it may: pages, a piece of 16 KiB each, and what encryption and malloc put by.
        let warmUp = rows / 4
        try await publish(warmUp, of: table, to: reading)
        let before = try ResidentMemory.now()
        try await publish(rows - warmUp, of: table, to: reading)
        let growth = try ResidentMemory.now() - before
        // Kept for each of 200 it would be 2.4 GB.
        #expect(growth < 128 << 20, "\(growth)")
    }

    private static func publish(_ count: Int64, of table: HandFedTable, to reading: some FrameReader) async throws {
        for _ in 0..<(count / 100) {
            table.publish(100)
            _ = try await reading.events(100)
        }
    }

    @Test func `S3: stalled clients by TLS take no memory, and go on exactly when they read again`() async throws {
        await #expect(processExitsWith: .success) {
            let table = Self.table()
            try await withTLSServer(feeds: [table.feed], threads: 2, protocols: []) { _, port, tls in
                var stalled: [StreamClient] = []
                for _ in 0..<200 {
                    let client = try await StreamClient.connect(port: port, tls: tls, reads: false, receiveBuffer: 4096)
                    try await client.request("GET", "/feeds/orders?since=earliest")
                    stalled.append(client)
                }
                try await eventually { table.feed.subscriberCount == 200 }
                let (reading, _) = try await StreamClient.stream(port: port, "/feeds/orders", tls: tls)
                try await Self.publish(table, to: reading)
                #expect(table.feed.subscriberCount == 201)
                for client in [stalled[0], stalled[199]] {
                    try await client.resumeReading()
                    _ = try await client.head()
                    let events = try await client.events(Int(Self.rows))
                    #expect(events.map(\.id) == (1...Self.rows).map { "\($0)" })
                }
            }
        }
    }

    @Test func `S3: stalled streams of one connection take no memory, and go on exactly when they are read`()
        async throws
    {
        await #expect(processExitsWith: .success) {
            let table = Self.table()
            try await withTLSServer(feeds: [table.feed], threads: 2) { _, port, tls in
                // What waits in the client is in this process too.
                let client = try await HTTP2Client.connect(port: port, tls: tls, window: 16 << 10)
                var stalled: [HTTP2ClientStream] = []
                for _ in 0..<200 {
                    let (stream, _) = try await client.stream("/feeds/orders?since=earliest")
                    try await stream.reads(false)
                    stalled.append(stream)
                }
                let other = try await HTTP2Client.connect(port: port, tls: tls)
                let (reading, _) = try await other.stream("/feeds/orders")
                try await Self.publish(table, to: reading)
                #expect(table.feed.subscriberCount == 201)
                let (beside, _) = try await client.stream("/feeds/orders?since=15999")
                #expect(try await beside.event()?.id == "\(Self.rows)")
                for stream in [stalled[0], stalled[199]] {
                    try await stream.reads(true)
                    let events = try await stream.events(Int(Self.rows))
                    #expect(events.map(\.id) == (1...Self.rows).map { "\($0)" })
                }
            }
        }
    }

    @Test func `a connection whose socket is never read holds little, however many streams it has`() async throws {
        await #expect(processExitsWith: .success) {
            let table = Self.table()
            try await withTLSServer(feeds: [table.feed], threads: 2) { _, port, tls in
                var stalled: [HTTP2Client] = []
                for _ in 0..<10 {
                    let client = try await HTTP2Client.connect(
                        port: port,
                        tls: tls,
                        window: 16 << 20,
                        receiveBuffer: 4096
                    )
                    for _ in 0..<100 { _ = try await client.stream("/feeds/orders?since=earliest") }
                    try await client.reads(false)
                    stalled.append(client)
                }
                let other = try await HTTP2Client.connect(port: port, tls: tls)
                let (reading, _) = try await other.stream("/feeds/orders")
                try await Self.publish(table, to: reading)
                #expect(table.feed.subscriberCount == 1001)
                for client in stalled { await client.close() }
                try await eventually { table.feed.subscriberCount == 1 }
            }
        }
    }
}
