// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DrainTests {
    @Test func `every stream is told, and ends in order`() async throws {
        let table = HandFedTable(rows: 10)
        let waiting = HandFedTable("users", polled: false)
        waiting.polled(.waiting, .waiting("there is no table 'users'"))
        try await withServer(feeds: [table.feed, waiting.feed], threads: 2) { server, port in
            var clients: [(StreamClient, String?)] = []
            for index in 0..<20 {
                let path = index.isMultiple(of: 4) ? "/feeds/users" : "/feeds/orders?since=8"
                let (client, _) = try await StreamClient.stream(port: port, path)
                _ = try await client.frame()
                if !index.isMultiple(of: 4) { #expect(try await client.events(2).map(\.id) == ["9", "10"]) }
                clients.append((client, index.isMultiple(of: 4) ? nil : "10"))
            }
            let start = ContinuousClock.now
            await server.drain()
            #expect(ContinuousClock.now - start < .seconds(1))
            for (client, id) in clients {
                #expect(
                    try await client.frame()
                        == StreamClient.Frame(id: id, event: "rowtail.end", data: #"{"reason":"drain"}"#)
                )
                #expect(try await client.frame() == nil)
                #expect(await client.endedInOrder)
                #expect(await client.rest() == "")
            }
        }
    }

    @Test func `no connection is taken any more, and one that is open learns that the daemon isn't ready`() async throws
    {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed], options: .with { $0.drainTimeout = .milliseconds(500) }) {
            server,
            port in
            // A client that reads nothing holds the drain up.
            let wide = try await StreamClient.connect(port: port)
            let idle = try await StreamClient.connect(port: port)
            let other = try await StreamClient.connect(port: port)
            _ = try await wide.ask("/healthz")
            _ = try await idle.ask("/healthz")
            _ = try await other.ask("/healthz")
            await server.drain()
            let (head, body) = try await idle.ask("/readyz")
            #expect(head.status == 503)
            #expect(head.fields["connection"] == "close")
            #expect(body == "{\"ready\":false,\"feeds\":{\"orders\":\"live\"}}\n")
            // A browser would never come back from a 503.
            try await other.request("GET", "/feeds/orders")
            #expect(try await other.head().status == 200)
            #expect(try await other.event()?.data == #"{"reason":"drain"}"#)
            #expect(try await other.event() == nil)
            #expect(await other.endedInOrder)
            await #expect(throws: (any Error).self) { _ = try await StreamClient.connect(port: port) }
        }
    }

    @Test func `a client that has just connected gets a moment to ask`() async throws {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed], options: .with { $0.drainTimeout = .seconds(30) }) { server, port in
            let client = try await StreamClient.connect(port: port)
            let start = ContinuousClock.now
            await server.drain()
            // Had the drain been over at once, the daemon would be gone before the request came.
            #expect(ContinuousClock.now - start >= .milliseconds(250))
            await client.close()
        }
    }

    @Test func `idle connections don't hold the drain up`() async throws {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed], options: .with { $0.drainTimeout = .seconds(30) }) { server, port in
            let used = try await StreamClient.connect(port: port)
            _ = try await used.ask("/healthz")
            let unused = try await StreamClient.connect(port: port)
            try await unused.send("GET /feeds HTTP/1.1\r\n")
            _ = try await used.ask("/healthz")
            let start = ContinuousClock.now
            await server.drain()
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test func `a client that reads nothing holds the drain up no longer than it may`() async throws {
        let table = HandFedTable(rows: 8000, source: InMemoryFeedSource(padding: 1000))
        try await withServer(feeds: [table.feed], options: .with { $0.drainTimeout = .milliseconds(300) }) {
            server,
            port in
            let stalled = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 2048)
            try await stalled.request("GET", "/feeds/orders?since=earliest")
            try await eventually { table.feed.subscriberCount == 1 }
            let (reading, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await reading.frame()
            let start = ContinuousClock.now
            await server.drain()
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(try await reading.frame()?.event == "rowtail.end")
            #expect(try await reading.frame() == nil)
            #expect(await reading.endedInOrder)
        }
    }

    @Test func `a slow client is told when it took what is under way, not what it still lacks`() async throws {
        let table = HandFedTable(rows: 8000, source: InMemoryFeedSource(padding: 1000))
        try await withServer(feeds: [table.feed], options: .with { $0.drainTimeout = .seconds(20) }) { server, port in
            let client = try await StreamClient.connect(
                port: port,
                reads: false,
                readSize: 16 << 10,
                receiveBuffer: 2048
            )
            try await client.request("GET", "/feeds/orders?since=earliest")
            _ = try await client.head()
            async let drained: Void = server.drain()
            var last: StreamClient.Frame?
            var rows = 0
            while let frame = try await client.frame() {
                last = frame
                if frame.event == nil, frame.data != nil { rows += 1 }
            }
            await drained
            #expect(rows < 8000)
            #expect(last == StreamClient.Frame(id: "\(rows)", event: "rowtail.end", data: #"{"reason":"drain"}"#))
            #expect(await client.endedInOrder)
        }
    }

    @Test func `a stream that is being opened is ended in order`() async throws {
        let table = HandFedTable(rows: 10, polled: false)
        try await withServer(feeds: [table.feed], options: .with { $0.drainTimeout = .seconds(20) }) { server, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders")
            _ = try await StreamClient.ask(port: port, "/healthz")
            async let drained: Void = server.drain()
            try await eventually { (try? await StreamClient.connect(port: port)) == nil }
            table.begin()
            #expect(try await client.head().status == 200)
            #expect(try await client.event()?.data == #"{"reason":"drain"}"#)
            #expect(try await client.event() == nil)
            #expect(await client.endedInOrder)
            await drained
        }
    }
}
