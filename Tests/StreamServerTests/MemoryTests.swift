// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

// One after the other, as each looks at what the process takes.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct MemoryTests {
    private let table = HandFedTable(rows: 3)

    private func get(_ path: String) -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
    }

    @Test func `S8: what is sent behind an endless stream takes no memory`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            let before = try ResidentMemory.now()
            let requests = String(repeating: get("/healthz"), count: 20_000)
            for _ in 0..<64 { try await client.send(requests) }
            #expect(try ResidentMemory.now() - before < 24 << 20)
            table.publish()
            #expect(try await client.event()?.id == "4")
        }
    }

    @Test func `S8: a connection takes no memory for requests that were answered`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let many = String(repeating: get("/healthz?\(String(repeating: "x", count: 15_000))"), count: 100)
            let before = try ResidentMemory.now()
            for _ in 0..<32 {
                async let sent: Void = client.send(many)
                for _ in 0..<100 { _ = try await client.answer() }
                try await sent
            }
            #expect(try ResidentMemory.now() - before < 24 << 20)
        }
    }

    @Test func `S8: empty lines before a request take no memory`() async throws {
        try await withServer(feeds: [table.feed], configure: { $0.limits.requestTimeout = nil }) { _, port in
            let client = try await StreamClient.connect(port: port)
            let before = try ResidentMemory.now()
            let lines = String(repeating: "\r\n", count: 1 << 19)
            for _ in 0..<48 { try await client.send(lines) }
            #expect(try await client.ask("/healthz").head.status == 200)
            #expect(try ResidentMemory.now() - before < 24 << 20)
        }
    }

    @Test func `S8: a client that sends requests and reads no answers waits`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 4096)
            let before = try ResidentMemory.now()
            let requests = String(repeating: get("/metrics"), count: 100_000)
            async let sent: Void = client.send(requests)
            // Another client is served meanwhile, and what the first asks for isn't made ahead.
            for _ in 0..<100 { _ = try await StreamClient.ask(port: port, "/healthz") }
            #expect(try ResidentMemory.now() - before < 64 << 20)
            try await client.reset()
            try? await sent
        }
    }
}
