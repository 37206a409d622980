// SPDX-License-Identifier: Apache-2.0

import Glibc
import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ReloadTests {
    private static let end = StreamClient.Frame(id: "3", event: "rowtail.end", data: #"{"reason":"reload"}"#)

    private func options(_ port: Int, _ change: (inout ServerOptions) -> Void = { _ in }) -> ServerOptions {
        .with { options in
            options.endpoints = [.tcp(host: "127.0.0.1", port: port)]
            change(&options)
        }
    }

    @Test func `streams of a feed that is the same go on, those of all others end, and new feeds are there`()
        async throws
    {
        let port = try DaemonProcess.freePort()
        let (kept, changed, removed) = (
            HandFedTable(rows: 3), HandFedTable("users", rows: 3), HandFedTable("old", rows: 3)
        )
        try await withServer(feeds: [kept.feed, changed.feed, removed.feed], options: options(port), threads: 2) {
            server,
            _ in
            var clients: [String: [StreamClient]] = [:]
            for name in ["orders", "users", "old", "orders", "users", "old"] {
                let (client, _) = try await StreamClient.stream(port: port, "/feeds/\(name)")
                #expect(try await client.frame()?.id == "3")
                clients[name, default: []].append(client)
            }
            let (next, new) = (HandFedTable("users", rows: 3), HandFedTable("new", rows: 3))
            try await server.reload(options: options(port), feeds: [kept.feed, next.feed, new.feed])
            for client in clients["users", default: []] + clients["old", default: []] {
                #expect(try await client.frame() == Self.end)
                #expect(try await client.frame() == nil)
                #expect(await client.endedInOrder)
                // The connection is good for another request.
                let answer = try await client.ask("/feeds/old")
                #expect(answer.head.status == 404)
            }
            for table in [kept, next, new] { table.publish() }
            for client in clients["orders", default: []] { #expect(try await client.event()?.id == "4") }
            for name in ["users", "new"] {
                let (client, _) = try await StreamClient.stream(port: port, "/feeds/\(name)", lastEventID: "3")
                #expect(try await client.event()?.id == "4")
            }
            let metrics = try await StreamClient.ask(port: port, "/metrics").body
            #expect(metrics.contains("rowtail_stream_closed_total{reason=\"reload\"} 4\n"))
            #expect(metrics.contains("rowtail_subscribers{feed=\"orders\",state=\"live\"} 2\n"))
            #expect(!metrics.contains("\"old\""))
        }
    }

    @Test func `a stream that is being opened when its feed goes is told so`() async throws {
        let port = try DaemonProcess.freePort()
        let waiting = HandFedTable("users", polled: false)
        try await withServer(feeds: [waiting.feed], options: options(port)) { server, _ in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/users")
            // Answered on the loop that the other waits on, and so after it began to.
            let other = try await StreamClient.connect(port: port)
            try await eventually { try await other.ask("/metrics").head.status == 200 }
            try await server.reload(options: options(port), feeds: [])
            waiting.feed.close()
            #expect(try await client.head().status == 200)
            #expect(try await client.event()?.data == #"{"reason":"reload"}"#)
            #expect(try await client.frame() == nil)
        }
    }

    @Test func `a client of a feed that is gone and reads nothing is cut off as any other`() async throws {
        let port = try DaemonProcess.freePort()
        let table = HandFedTable(rows: 3, source: InMemoryFeedSource(padding: 100_000))
        let change: (inout ServerOptions) -> Void = {
            $0.limits.writeTimeout = .milliseconds(500)
            $0.heartbeatInterval = .milliseconds(100)
        }
        try await withServer(feeds: [table.feed], options: options(port, change)) { server, _ in
            let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 4096)
            try await client.request("GET", "/feeds/orders")
            try await eventually { table.feed.subscriberCount == 1 }
            for _ in 0..<10 { table.publish(10) }
            try await server.reload(options: options(port, change), feeds: [])
            try await eventually { table.feed.subscriberCount == 0 }
            let metrics = try await StreamClient.ask(port: port, "/metrics").body
            #expect(metrics.contains("rowtail_stream_closed_total{reason=\"write_timeout\"} 1\n"))
        }
    }

    @Test func `endpoints that stay go on listening, others close, and new ones open`() async throws {
        let (first, second, third) = (
            try DaemonProcess.freePort(), try DaemonProcess.freePort(), try DaemonProcess.freePort()
        )
        let table = HandFedTable(rows: 3)
        func listening(_ ports: Int...) -> ServerOptions {
            options(0) { $0.endpoints = ports.map { .tcp(host: "127.0.0.1", port: $0) } }
        }
        try await withServer(feeds: [table.feed], options: listening(first, second)) { server, _ in
            let (kept, _) = try await StreamClient.stream(port: first, "/feeds/orders")
            let (moved, _) = try await StreamClient.stream(port: first, "/feeds/orders")
            try await server.reload(options: listening(second, third), feeds: [table.feed])
            for port in [second, third] {
                #expect(try await StreamClient.ask(port: port, "/healthz").head.status == 200)
            }
            await #expect(throws: (any Error).self) { _ = try await StreamClient.connect(port: first) }
            // What was accepted before has nothing to do with the listener.
            table.publish()
            #expect(try await kept.event()?.id == "4")
            #expect(try await moved.event()?.id == "4")
        }
    }

    @Test func `another address on the same port takes the place of the first`() async throws {
        let port = try DaemonProcess.freePort()
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: options(port)) { server, _ in
            let everywhere = options(port) { $0.endpoints = [.tcp(host: "0.0.0.0", port: port)] }
            try await server.reload(options: everywhere, feeds: [table.feed])
            #expect(try await StreamClient.ask(port: port, "/healthz").head.status == 200)
            let other = try await StreamClient.connect(host: "127.0.0.2", port: port)
            #expect(try await other.ask("/healthz").head.status == 200)
        }
    }

    @Test func `what can't be bound leaves everything as it was`() async throws {
        let port = try DaemonProcess.freePort()
        let (table, taken) = (HandFedTable(rows: 3), HandFedTable(rows: 1))
        try await withServer(feeds: [taken.feed]) { _, takenPort in
            try await withServer(feeds: [table.feed], options: options(port)) { server, _ in
                let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
                for keepsOld in [true, false] {
                    let impossible = options(port) {
                        if !keepsOld { $0.endpoints = [] }
                        $0.endpoints.append(.tcp(host: "127.0.0.1", port: takenPort))
                    }
                    let error = await #expect(throws: ServerError.self) {
                        try await server.reload(options: impossible, feeds: [])
                    }
                    #expect(
                        error?.description
                            == "listen: '127.0.0.1:\(takenPort)' is in use by another program; end it or listen elsewhere"
                    )
                }
                #expect(try await StreamClient.ask(port: port, "/healthz").head.status == 200)
                table.publish()
                #expect(try await client.frame()?.id == "3")
                #expect(try await client.event()?.id == "4")
            }
        }
    }

    @Test func `limits, retry and heartbeats are those of the new configuration`() async throws {
        let port = try DaemonProcess.freePort()
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: options(port) { $0.heartbeatInterval = .seconds(3600) }) {
            server,
            _ in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await client.frame()
            let changed = options(port) {
                $0.heartbeatInterval = .milliseconds(50)
                $0.retry = .seconds(70)
                $0.limits.streamsPerAddress = 2
            }
            try await server.reload(options: changed, feeds: [table.feed])
            #expect(try await client.frame()?.comments == ["heartbeat"])
            let (other, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect((try await other.frame()?.retry).map { (70_000...105_000).contains($0) } == true)
            // Those that were open before count.
            #expect(try await StreamClient.ask(port: port, "/feeds/orders").head.status == 429)
        }
    }

    @Test func `a new endpoint is never without the tokens that come with it`() async throws {
        let (first, second) = (try DaemonProcess.freePort(), try DaemonProcess.freePort())
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: options(first), threads: 2) { server, _ in
            let guarded = options(first) {
                $0.endpoints.append(.tcp(host: "127.0.0.1", port: second))
                $0.access = AccessList([AccessToken("secret")])
            }
            try await withThrowingTaskGroup(of: Int?.self) { group in
                group.addTask {
                    // From before it is there until it answers.
                    while true {
                        if let answer = try? await StreamClient.ask(port: second, "/feeds") {
                            return answer.head.status
                        }
                    }
                }
                try await server.reload(options: guarded, feeds: [table.feed])
                for try await status in group { #expect(status == 401) }
            }
        }
    }

    @Test func `an inherited socket is listened on again after it was not`() async throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try withUnsafeMutablePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                try #require(bind(descriptor, pointer, length) == 0 && listen(descriptor, 128) == 0)
                try #require(getsockname(descriptor, pointer, &length) == 0)
            }
        }
        let port = Int(UInt16(bigEndian: address.sin_port))
        let table = HandFedTable(rows: 3)
        let inherited = options(0) {
            $0.endpoints = [.inherited(descriptor: descriptor, isTCP: true, name: "systemd:http")]
        }
        try await withServer(feeds: [table.feed], options: inherited) { server, _ in
            #expect(try await StreamClient.ask(port: port, "/healthz").head.status == 200)
            try await server.reload(options: options(0), feeds: [table.feed])
            // Nobody accepts; nobody is refused either.
            let patient = try await StreamClient.connect(port: port)
            try await server.reload(options: inherited, feeds: [table.feed])
            #expect(try await patient.ask("/healthz").head.status == 200)
        }
    }
}
