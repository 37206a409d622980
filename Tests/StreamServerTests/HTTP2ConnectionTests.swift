// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTP2ConnectionTests {
    @Test func `a drain ends every stream in order, then the connection`() async throws {
        let table = HandFedTable(rows: 10)
        let options = ServerOptions.with { $0.drainTimeout = .seconds(20) }
        try await withTLSServer(feeds: [table.feed], options: options, threads: 2) { server, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let idle = try await HTTP2Client.connect(port: port, tls: tls)
            #expect(try await idle.ask("/healthz").head.status == 200)
            var streams: [HTTP2ClientStream] = []
            for _ in 0..<20 {
                let (stream, _) = try await client.stream("/feeds/orders?since=9")
                #expect(try await stream.event()?.id == "10")
                streams.append(stream)
            }
            let start = ContinuousClock.now
            await server.drain()
            #expect(ContinuousClock.now - start < .seconds(5))
            for stream in streams {
                #expect(
                    try await stream.frame()
                        == StreamClient.Frame(id: "10", event: "rowtail.end", data: #"{"reason":"drain"}"#)
                )
                #expect(try await stream.frame() == nil)
                #expect(stream.endedInOrder)
            }
            try await client.waitForClose()
            try await idle.waitForClose()
            // No more requests at first, and at last which ones were answered.
            #expect(client.state.value.farewells.map(\.code) == [0, 0])
            #expect(client.state.value.farewells.last?.last == 39)
            #expect(idle.state.value.farewells.map(\.code) == [0])
        }
    }

    @Test func `a stream that reads nothing holds the drain up no longer than it may`() async throws {
        let table = HandFedTable(rows: 500, source: InMemoryFeedSource(padding: 1000))
        let options = ServerOptions.with { $0.drainTimeout = .milliseconds(300) }
        try await withTLSServer(feeds: [table.feed], options: options) { server, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (stalled, _) = try await client.stream("/feeds/orders?since=earliest")
            try await stalled.reads(false)
            let (reading, _) = try await client.stream("/feeds/orders")
            _ = try await reading.frame()
            let start = ContinuousClock.now
            await server.drain()
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(try await reading.frame()?.event == "rowtail.end")
            #expect(try await reading.frame() == nil)
            #expect(reading.endedInOrder)
        }
    }

    @Test func `a connection without streams is closed after the request timeout`() async throws {
        let table = HandFedTable(rows: 3)
        let options = ServerOptions.with { $0.limits.requestTimeout = .milliseconds(300) }
        try await withTLSServer(feeds: [table.feed], options: options) { _, port, tls in
            let silent = try await HTTP2Client.connect(port: port, tls: tls)
            let used = try await HTTP2Client.connect(port: port, tls: tls)
            let streaming = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, _) = try await streaming.stream("/feeds/orders")
            #expect(try await used.ask("/healthz").head.status == 200)
            try await silent.waitForClose()
            try await used.waitForClose()
            #expect(silent.state.value.farewells.map(\.last) == [0])
            #expect(used.state.value.farewells.map(\.last) == [1])
            table.publish()
            #expect(try await stream.event()?.id == "4")
            await stream.reset()
            try await streaming.waitForClose()
        }
    }

    @Test func `more streams than a connection may have are refused, and the others go on`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            var streams: [HTTP2ClientStream] = []
            for _ in 0..<256 { streams.append(try await client.stream("/feeds/orders").0) }
            // The client keeps to what the server allows: its next request waits until there is room.
            async let next = client.ask("/healthz")
            await streams[0].reset()
            #expect(try await next.head.status == 200)
            table.publish()
            for stream in streams[1...] { #expect(try await stream.event()?.id == "4") }
        }
    }

    @Test func `a request that isn't one is reset, and the other streams of its connection go on`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, _) = try await client.stream("/feeds/orders")
            for field in [("Upper-Case", "1"), ("connection", "close"), ("content-length", "7")] {
                let request = try await client.request("GET", "/healthz", fields: [field])
                await #expect(throws: (any Error).self) { _ = try await request.head() }
            }
            table.publish()
            #expect(try await stream.event()?.id == "4")
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }

    @Test func `a flood of frames that have to be answered ends the connection alone`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let flooding = try await HTTP2Client.connect(port: port, tls: tls)
            let other = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, _) = try await other.stream("/feeds/orders")
            _ = try await flooding.ask("/healthz")
            try? await flooding.ping(20_000)
            try await flooding.waitForClose()
            table.publish()
            #expect(try await stream.event()?.id == "4")
        }
    }

    @Test func `requests that are reset at once end the connection, and leave nothing behind`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            for _ in 0..<5000 where !client.state.value.isClosed {
                try? await client.request("GET", "/feeds/orders").reset()
            }
            try await client.waitForClose()
            try await eventually { table.feed.subscriberCount == 0 }
            #expect(try await HTTP2Client.connect(port: port, tls: tls).ask("/healthz").head.status == 200)
        }
    }

    @Test func `a stream ends at its greatest age, and its connection stays`() async throws {
        let table = HandFedTable(rows: 3)
        let options = ServerOptions.with {
            $0.maxConnectionAge = .milliseconds(200)
            $0.heartbeatInterval = .milliseconds(100)
        }
        try await withTLSServer(feeds: [table.feed], options: options) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, _) = try await client.stream("/feeds/orders")
            #expect(try await stream.event()?.data == #"{"reason":"age"}"#)
            #expect(try await stream.event() == nil)
            #expect(stream.endedInOrder)
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }
}
