// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TLSTests {
    @Test(arguments: [[], ["http/1.1"], ["h2", "http/1.1"], ["http/1.1", "h2"], ["spdy/3"]])
    func `the server chooses HTTP/2 where the client has it, else HTTP/1.1`(_ protocols: [String]) async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed], protocols: protocols) { _, port, tls in
            guard protocols.contains("h2") else {
                let client = try await StreamClient.connect(port: port, tls: tls)
                #expect(client.chosenProtocol == (protocols.contains("http/1.1") ? "http/1.1" : nil))
                #expect(try await client.ask("/healthz").head.status == 200)
                return
            }
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }

    @Test func `a stream by HTTP/1.1 is as without TLS, and its connection is used again`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed], protocols: []) { _, port, tls in
            let (client, head) = try await StreamClient.stream(port: port, "/feeds/orders?since=1&limit=4", tls: tls)
            #expect(head.statusLine == "HTTP/1.1 200 OK")
            #expect(head.fields["connection"] == "keep-alive")
            #expect(head.fields["transfer-encoding"] == "chunked")
            #expect(try await client.events(2).map(\.id) == ["2", "3"])
            table.publish(2)
            #expect(try await client.events(2).map(\.id) == ["4", "5"])
            #expect(try await client.event()?.data == #"{"reason":"limit"}"#)
            #expect(try await client.frame() == nil)
            #expect(await client.endedInOrder)
            #expect(try await client.ask("/healthz").head.status == 200)
            let (resumed, _) = try await StreamClient.stream(port: port, "/feeds/orders", tls: tls, lastEventID: "3")
            #expect(try await resumed.events(2).map(\.id) == ["4", "5"])
        }
    }

    @Test func `a client by HTTP/1.0 gets its stream without chunks`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed], protocols: []) { _, port, tls in
            let client = try await StreamClient.connect(port: port, tls: tls)
            try await client.send("GET /feeds/orders?since=earliest&limit=3 HTTP/1.0\r\n\r\n")
            #expect(try await client.head().fields["transfer-encoding"] == nil)
            #expect(try await client.events(3).map(\.id) == ["1", "2", "3"])
            #expect(try await client.event()?.event == "rowtail.end")
            #expect(await client.rest() == "")
            #expect(client.sawFarewell)
        }
    }

    @Test func `an end in order says goodbye, and a cut doesn't`() async throws {
        let table = HandFedTable(rows: 8000, source: InMemoryFeedSource(padding: 1000))
        let options = ServerOptions.with {
            $0.limits.writeTimeout = .milliseconds(300)
            $0.heartbeatInterval = .milliseconds(100)
            $0.drainTimeout = .seconds(20)
        }
        try await withTLSServer(feeds: [table.feed], options: options, protocols: []) { server, port, tls in
            let stalled = try await StreamClient.connect(port: port, tls: tls, reads: false, receiveBuffer: 32 << 10)
            try await stalled.request("GET", "/feeds/orders?since=earliest")
            try await eventually { table.feed.subscriberCount == 1 }
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders", tls: tls)
            try await eventually { table.feed.subscriberCount == 1 }
            try await stalled.resumeReading()
            _ = try await stalled.head()
            while let frame = try? await stalled.frame() { #expect(frame.event == nil) }
            #expect(await stalled.endedInOrder == false)
            #expect(!stalled.sawFarewell)

            let start = ContinuousClock.now
            await server.drain()
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(try await client.event()?.data == #"{"reason":"drain"}"#)
            #expect(try await client.frame() == nil)
            #expect(await client.endedInOrder)
            #expect(await client.rest() == "")
            #expect(client.sawFarewell)
        }
    }

    @Test func `a client that ends its sending side goes on receiving`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed], protocols: []) { _, port, tls in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders", tls: tls)
            _ = try await client.frame()
            try await client.closeOutput()
            #expect(try await client.frame()?.comments.isEmpty == false)
            table.publish()
            #expect(try await client.event()?.id == "4")
        }
    }

    @Test func `a slow reader gets every byte in order`() async throws {
        let table = HandFedTable(rows: 0, source: InMemoryFeedSource(padding: 700)) { $0.tailBytes = 256 << 10 }
        try await withTLSServer(feeds: [table.feed], threads: 2, protocols: []) { _, port, tls in
            let client = try await StreamClient.connect(
                port: port,
                tls: tls,
                reads: false,
                readSize: 3001,
                receiveBuffer: 32 << 10
            )
            try await client.request("GET", "/feeds/orders?since=earliest")
            try await eventually { table.feed.subscriberCount == 1 }
            for _ in 0..<60 { table.publish(97) }
            try await client.resumeReading()
            _ = try await client.head()
            for id: Int64 in 1...(60 * 97) {
                let event = try await client.event()
                guard event?.id == "\(id)", event?.data == table.source.json(id) else {
                    Issue.record("row \(id) is \(event?.id ?? "missing")")
                    return
                }
            }
        }
    }

    @Test func `a client that speaks plain HTTP is told so`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed]) { _, port, tls in
            let plain = try await StreamClient.connect(port: port)
            try await plain.request("GET", "/feeds")
            let (head, body) = try await plain.answer()
            #expect(head.status == 400)
            #expect(head.fields["connection"] == "close")
            #expect(body == #"{"error":{"code":"bad_request","message":"this port speaks TLS; use https"}}"# + "\n")
            #expect(await plain.rest() == "")
            let other = try await StreamClient.connect(port: port)
            try await other.send("\u{0}\u{1}nonsense")
            #expect(await other.rest() == "")
        }
    }

    @Test(arguments: [[], [0x16, 0x03, 0x01], [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]] as [[UInt8]])
    func `a peer that doesn't finish its handshake is closed in time`(_ bytes: [UInt8]) async throws {
        let table = HandFedTable(rows: 3)
        let options = ServerOptions.with { $0.limits.requestTimeout = .milliseconds(300) }
        try await withTLSServer(feeds: [table.feed], options: options) { _, port, _ in
            let client = try await StreamClient.connect(port: port)
            try await client.send(String(decoding: bytes.filter { $0 < 0x80 }, as: UTF8.self))
            let start = ContinuousClock.now
            #expect(await client.rest() == "")
            #expect(ContinuousClock.now - start < .seconds(10))
        }
    }

    @Test func `a client that sends no request after its handshake is closed in time`() async throws {
        let table = HandFedTable(rows: 3)
        let options = ServerOptions.with { $0.limits.requestTimeout = .milliseconds(300) }
        try await withTLSServer(feeds: [table.feed], options: options, protocols: []) { _, port, tls in
            let client = try await StreamClient.connect(port: port, tls: tls)
            #expect(await client.rest() == "")
            #expect(client.sawFarewell)
        }
    }

    @Test func `a new certificate is for new connections, and streams of the old one go on`() async throws {
        let table = HandFedTable(rows: 3)
        let (old, new) = (try TestCertificate.shared.get(), try TestCertificate())
        var options = ServerOptions.with { _ in }
        options.tls = try old.identity()
        try await withServer(feeds: [table.feed], options: options, threads: 2) { server, port in
            let (before, _) = try await StreamClient.stream(port: port, "/feeds/orders", tls: TLSClient(old))
            let multiplexed = try await HTTP2Client.connect(port: port, tls: TLSClient(old, protocols: ["h2"]))
            let (stream, _) = try await multiplexed.stream("/feeds/orders")
            options.tls = try new.identity()
            try await server.reload(options: options, feeds: [table.feed])
            let (after, _) = try await StreamClient.stream(port: port, "/feeds/orders", tls: TLSClient(new))
            #expect(before.serverSerial == old.serial)
            #expect(after.serverSerial == new.serial)
            await #expect(throws: (any Error).self) {
                _ = try await StreamClient.connect(port: port, tls: TLSClient(old))
            }
            table.publish()
            #expect(try await before.event()?.id == "4")
            #expect(try await after.event()?.id == "4")
            #expect(try await stream.event()?.id == "4")
            #expect(try await multiplexed.ask("/healthz").head.status == 200)
        }
    }

    @Test func `a unix socket stays plain`() async throws {
        let directory = try TemporaryDirectory()
        var options = ServerOptions.with { $0.endpoints = [.unix(path: directory.file("socket"))] }
        options.tls = try TestCertificate.shared.get().identity()
        try await withServer(feeds: [HandFedTable(rows: 3).feed], options: options) { _, _ in
            let client = try await StreamClient.connect(unix: directory.file("socket"))
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }
}
