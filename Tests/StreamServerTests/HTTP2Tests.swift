// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTP2Tests {
    @Test func `a stream begins as by HTTP/1.1, without fields of the connection`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, head) = try await client.stream("/feeds/orders?since=1")
            #expect(head.status == 200)
            #expect(head.fields["content-type"] == "text/event-stream")
            #expect(head.fields["cache-control"] == "no-cache, no-transform")
            #expect(head.fields["x-accel-buffering"] == "no")
            #expect(head.fields["connection"] == nil)
            #expect(head.fields["transfer-encoding"] == nil)
            #expect(try await stream.frame()?.id == "1")
            #expect(try await stream.events(2).map(\.id) == ["2", "3"])
            table.publish(2)
            #expect(try await stream.events(2).map(\.data) == ["{\"id\":4}", "{\"id\":5}"])
            let (resumed, _) = try await client.stream("/feeds/orders", fields: [("last-event-id", "3")])
            #expect(try await resumed.events(2).map(\.id) == ["4", "5"])
        }
    }

    @Test func `a stream that ends leaves the connection to others`() async throws {
        let table = HandFedTable(rows: 10)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            for _ in 0..<3 {
                let (stream, _) = try await client.stream("/feeds/orders?since=earliest&limit=4")
                #expect(try await stream.events(4).last?.id == "4")
                #expect(
                    try await stream.frame()
                        == StreamClient.Frame(id: "4", event: "rowtail.end", data: #"{"reason":"limit"}"#)
                )
                #expect(try await stream.frame() == nil)
                #expect(stream.endedInOrder)
            }
            #expect(try await client.ask("/healthz").body == "{\"status\":\"ok\"}\n")
            #expect(!client.state.value.isClosed)
        }
    }

    @Test func `many streams go out on one connection`() async throws {
        let table = HandFedTable(rows: 5)
        try await withTLSServer(feeds: [table.feed], threads: 2) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            var streams: [HTTP2ClientStream] = []
            for _ in 0..<200 { streams.append(try await client.stream("/feeds/orders?since=earliest").0) }
            for stream in streams { #expect(try await stream.events(5).last?.id == "5") }
            table.publish(3)
            for stream in streams { #expect(try await stream.events(3).last?.id == "8") }
            #expect(table.feed.subscriberCount == 200)
            for stream in streams[..<100] { await stream.reset() }
            try await eventually { table.feed.subscriberCount == 100 }
            table.publish()
            for stream in streams[100...] { #expect(try await stream.event()?.id == "9") }
            await client.close()
            try await eventually { table.feed.subscriberCount == 0 }
        }
    }

    @Test func `methods, paths and heads are judged as by HTTP/1.1`() async throws {
        let table = HandFedTable(rows: 3)
        var options = ServerOptions.with { $0.limits.requestHead = 2048 }
        options.cors = CORSPolicy(allowedOrigins: ["https://a.example"])
        try await withTLSServer(feeds: [table.feed], options: options) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let head = try await client.ask("/feeds/orders", method: "HEAD")
            #expect(head.head.status == 200)
            #expect(head.head.fields["content-type"] == "text/event-stream")
            #expect(head.body == "")
            let preflight = try await client.ask(
                "/feeds/orders",
                method: "OPTIONS",
                fields: [("origin", "https://a.example"), ("access-control-request-method", "GET")]
            )
            #expect(preflight.head.status == 204)
            #expect(preflight.head.fields["access-control-allow-origin"] == "https://a.example")
            #expect(preflight.head.fields["access-control-allow-methods"] == "GET, HEAD, OPTIONS")
            let unknown = try await client.ask("/nowhere")
            #expect(unknown.head.status == 404)
            #expect(unknown.head.fields["content-length"] == "\(unknown.body.utf8.count)")
            #expect(unknown.body.contains("not_found"))
            let method = try await client.ask("/feeds", method: "DELETE")
            #expect(method.head.status == 405)
            #expect(method.head.fields["allow"] == "GET, HEAD, OPTIONS")
            #expect(try await client.ask("/feeds/orders?since=nonsense").head.status == 400)
            #expect(try await client.ask("/feeds/orders?until=head&since=latest").head.status == 204)
            let large = [("x-filler", String(repeating: "x", count: 2048))]
            let tooLarge = try await client.ask("/feeds", fields: large)
            #expect(tooLarge.head.status == 431)
            #expect(tooLarge.body.contains("head_too_large"))
            #expect(try await client.ask("/feeds").head.status == 200)
            #expect(client.state.value.farewells.isEmpty)
        }
    }

    @Test func `a request with a body is answered from its head, and told that the rest isn't wanted`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let refused = try await client.request("POST", "/feeds", ends: false)
            #expect(try await refused.head().status == 405)
            try await refused.waitForEnd()
            #expect(refused.endedInOrder)
            // NO_ERROR
            #expect(refused.state.value.resetCode == 0)
            // What is sent on an open stream is dropped: more than its window holds.
            let stream = try await client.request("GET", "/feeds/orders", ends: false)
            #expect(try await stream.head().status == 200)
            for _ in 0..<20 { try await stream.send(String(repeating: "x", count: 16_000)) }
            table.publish()
            #expect(try await stream.event()?.id == "4")
            try await stream.send("", ends: true)
            table.publish()
            #expect(try await stream.event()?.id == "5")
        }
    }

    @Test func `a stream that reads nothing holds up nobody on its connection`() async throws {
        let table = HandFedTable(rows: 0, source: InMemoryFeedSource(padding: 1000)) { $0.tailBytes = 64 << 10 }
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (slow, _) = try await client.stream("/feeds/orders?since=earliest")
            _ = try await slow.frame()
            try await slow.reads(false)
            let (fast, _) = try await client.stream("/feeds/orders?since=earliest")
            for _ in 0..<20 {
                table.publish(50)
                #expect(try await fast.events(50).last?.id == "\(table.source.last)")
            }
            // What it gets when it reads again comes from the table: exactly what it lacks.
            try await slow.reads(true)
            #expect(try await slow.events(1000).map(\.id) == (1...1000).map { "\($0)" })
        }
    }

    @Test func `a stream that takes nothing is reset after the write timeout`() async throws {
        let table = HandFedTable(rows: 500, source: InMemoryFeedSource(padding: 1000))
        let options = ServerOptions.with {
            $0.limits.writeTimeout = .milliseconds(300)
            $0.heartbeatInterval = .milliseconds(100)
        }
        try await withTLSServer(feeds: [table.feed], options: options) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (slow, _) = try await client.stream("/feeds/orders?since=earliest")
            try await slow.reads(false)
            let (other, _) = try await client.stream("/feeds/orders")
            try await eventually { table.feed.subscriberCount == 2 }
            try await eventually { table.feed.subscriberCount == 1 }
            try await slow.waitForEnd()
            #expect(!slow.endedInOrder)
            table.publish()
            #expect(try await other.event()?.id == "501")
        }
    }

    @Test func `an event of many frames arrives whole`() async throws {
        let table = HandFedTable(rows: 3, source: InMemoryFeedSource(padding: 300_000))
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, _) = try await client.stream("/feeds/orders?since=earliest&limit=3")
            for id: Int64 in 1...3 { #expect(try await stream.event()?.data == table.source.json(id)) }
            #expect(try await stream.event()?.event == "rowtail.end")
        }
    }
}
