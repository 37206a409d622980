// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    private let table = HandFedTable(rows: 3)

    private func get(_ path: String) -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
    }

    @Test func `a connection serves one request after another`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            for path in [
                "/healthz", "/feeds", "/readyz", "/metrics", "/nothing", "/feeds/orders?until=head", "/healthz",
            ] {
                let (head, _) = try await client.ask(path)
                #expect(head.fields["connection"] == nil)
            }
        }
    }

    @Test func `many requests in one write are answered in order`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let paths = (0..<1000).map { ["/healthz", "/feeds", "/nothing/\($0)"][$0 % 3] }
            // Not awaited before the answers are read: neither side could go on.
            async let sent: Void = client.send(paths.map(get).joined())
            for (index, path) in paths.enumerated() {
                let (head, body) = try await client.answer()
                switch index % 3 {
                case 0: #expect(body == "{\"status\":\"ok\"}\n")
                case 1: #expect(body.hasPrefix("{\"feeds\":["))
                default: #expect(head.status == 404 && body.contains("'\(path)'"))
                }
            }
            try await sent
        }
    }

    @Test func `a client that ends its side after its requests gets all answers`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            // Again and again, as requests and end are seen together only now and then.
            for _ in 0..<20 {
                let client = try await StreamClient.connect(port: port)
                try await client.sendAndCloseOutput(
                    String(repeating: get("/healthz"), count: 20) + get("/metrics")
                        + get("/feeds/orders?since=1&limit=1")
                )
                for _ in 0..<21 {
                    #expect(try await client.answer().head.status == 200)
                }
                #expect(try await client.head().fields["content-type"] == "text/event-stream")
                #expect(try await client.events(3).map(\.event) == [nil, "rowtail.end"])
                #expect(await client.rest() == "")
            }
        }
    }

    @Test(arguments: ["", "GET /heal", "GET /healthz HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n"])
    func `a client that ends its side within a head is gone`(_ rest: String) async throws {
        try await withServer(feeds: [table.feed], options: .with { $0.limits.requestTimeout = nil }) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.sendAndCloseOutput(get("/metrics") + rest)
            #expect(try await client.answer().head.status == 200)
            #expect(await client.rest() == "")
        }
    }

    @Test func `requests behind a finite stream are answered after it`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let stream = get("/feeds/orders?since=1&limit=1")
            try await client.send(stream + get("/healthz") + stream + stream + get("/feeds"))
            for path in [stream, "/healthz", stream, stream, "/feeds"] {
                let head = try await client.head()
                #expect(head.status == 200)
                guard path == stream else {
                    let body = try await client.body(head)
                    #expect(body.hasPrefix("{"))
                    continue
                }
                #expect(try await client.events(3).map(\.id) == ["2", "2"])
                #expect(await client.endedInOrder)
            }
        }
    }

    @Test func `a finite stream that waits for rows has requests behind it wait`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.send(get("/feeds/orders?limit=1"))
            _ = try await client.head()
            _ = try await client.frame()
            try await client.send(get("/healthz"))
            table.publish()
            #expect(try await client.events(3).map(\.id) == ["4", "4"])
            #expect(try await client.answer().body == "{\"status\":\"ok\"}\n")
        }
    }

    @Test func `a head may come byte by byte`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let request = "\r\nGET /feeds/orders?since=1 HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 2\r\n\r\n"
            for byte in request { try await client.send(String(byte)) }
            #expect(try await client.head().status == 200)
            #expect(try await client.event()?.id == "3")
        }
    }

    @Test func `a head may be cut anywhere`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let request = get("/healthz")
            for cut in request.indices {
                try await client.send(String(request[..<cut]))
                // Goes over another connection, so that the pieces arrive apart.
                _ = try await StreamClient.ask(port: port, "/healthz")
                try await client.send(String(request[cut...]))
                #expect(try await client.answer().head.status == 200)
            }
        }
    }

    @Test func `S8: a head that takes too long has its connection closed`() async throws {
        try await withServer(
            feeds: [table.feed],
            options: .with { $0.limits.requestTimeout = .seconds(1) }
        ) { _, port in
            let idle = try await StreamClient.connect(port: port)
            _ = try? await idle.ask("/healthz")
            let (stream, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            let silent = try await StreamClient.connect(port: port)
            let slow = try await StreamClient.connect(port: port)
            // Each byte is progress, but the whole head counts.
            await #expect(throws: (any Error).self) {
                try await slow.send("GET /healthz HTTP/1.1\r\nX: ")
                while true {
                    try await slow.send("x")
                    _ = try await StreamClient.ask(port: port, "/healthz")
                }
            }
            #expect(await silent.rest() == "")
            #expect(await idle.rest() == "")
            table.publish()
            #expect(try await stream.event()?.id == "4")
        }
    }

    @Test func `S8: a half-closed client keeps its stream and gets a heartbeat`() async throws {
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await client.frame()
            try await client.closeOutput()
            #expect(try await client.frame() == StreamClient.Frame(comments: ["heartbeat"]))
            table.publish()
            #expect(try await client.event()?.id == "4")
            #expect(table.feed.subscriberCount == 1)
        }
    }

    @Test(arguments: [false, true])
    func `a client that goes away is noticed at once`(_ byReset: Bool) async throws {
        try await withServer(feeds: [table.feed], threads: 2) { _, port in
            var clients: [StreamClient] = []
            for _ in 0..<10 {
                let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
                clients.append(client)
            }
            #expect(table.feed.subscriberCount == 10)
            for client in clients {
                if byReset { try await client.reset() } else { await client.close() }
            }
            // The heartbeat that would find them is 15 s away.
            let start = ContinuousClock.now
            try await eventually { table.feed.subscriberCount == 0 }
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }
}
