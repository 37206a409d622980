// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@testable import StreamServer

/// What becomes of open streams when the tokens change.
@Suite(.timeLimit(.minutes(1)))
struct RevokeTests {
    private static func options(_ access: AccessList?, _ port: Int? = nil) -> ServerOptions {
        .with {
            $0.access = access
            if let port { $0.endpoints = [.tcp(host: "127.0.0.1", port: port)] }
        }
    }

    private static func open(_ port: Int, _ token: String?, _ feed: String = "orders") async throws -> StreamClient {
        let fields = token.map { ["Authorization: Bearer \($0)"] } ?? []
        let (client, head) = try await StreamClient.stream(port: port, "/feeds/\(feed)", fields: fields)
        #expect(head.status == 200)
        _ = try await client.frame()
        return client
    }

    private static func expectRevoked(_ client: StreamClient) async throws {
        let end = try await client.event()
        #expect(end?.event == "rowtail.end" && end?.data == #"{"reason":"unauthorized"}"#, "\(String(describing: end))")
        #expect(try await client.frame() == nil)
        #expect(await client.endedInOrder)
    }

    @Test func `streams end whose token is gone or covers the feed no longer, and the others go on`() async throws {
        let (orders, users) = (HandFedTable("orders", rows: 3), HandFedTable("users", rows: 3))
        let feeds = [orders.feed, users.feed]
        let before = AccessList([
            AccessToken("gone"), AccessToken("less"), AccessToken("same", feeds: ["orders"]),
            AccessToken("more", feeds: ["orders"]),
        ])
        try await withServer(feeds: feeds, options: Self.options(before), threads: 2) { server, port in
            let gone = try await Self.open(port, "gone")
            let (lessOrders, lessUsers) = (
                try await Self.open(port, "less"), try await Self.open(port, "less", "users")
            )
            let (same, more) = (try await Self.open(port, "same"), try await Self.open(port, "more"))
            let after = AccessList([
                AccessToken("less", feeds: ["users"]), AccessToken("same", feeds: ["orders"]), AccessToken("more"),
            ])
            try await server.reload(options: Self.options(after), feeds: feeds)
            try await Self.expectRevoked(gone)
            try await Self.expectRevoked(lessOrders)
            orders.publish()
            users.publish()
            for client in [same, more, lessUsers] { #expect(try await client.event()?.id == "4") }
            // The connection stays, and what is asked on it is judged anew.
            let asked = try await gone.ask("/feeds", fields: ["Authorization: Bearer gone"])
            #expect(asked.head.status == 401)
            let figures = try await StreamClient.ask(port: port, "/metrics").body
            #expect(figures.contains(#"rowtail_stream_closed_total{reason="unauthorized"} 2"#))
        }
    }

    @Test func `streams without a token end when one is needed, and go on when none is any more`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: Self.options(nil)) { server, port in
            let anonymous = try await Self.open(port, nil)
            try await server.reload(options: Self.options(AccessList([AccessToken("new")])), feeds: [table.feed])
            try await Self.expectRevoked(anonymous)
            let holder = try await Self.open(port, "new")
            try await server.reload(options: Self.options(nil), feeds: [table.feed])
            table.publish()
            #expect(try await holder.event()?.id == "4")
        }
    }

    @Test func `a stream that was being opened when its token went away is ended at once`() async throws {
        let table = HandFedTable(rows: 3)
        table.source.hold()
        let access = AccessList([AccessToken("gone")])
        try await withServer(feeds: [table.feed], options: Self.options(access)) { server, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders?since=-1", fields: ["Authorization: Bearer gone"])
            try await eventually { table.source.readsHeld == 1 }
            try await server.reload(options: Self.options(AccessList([])), feeds: [table.feed])
            table.source.release()
            #expect(try await client.head().status == 200)
            try await Self.expectRevoked(client)
        }
    }

    @Test func `a client that reads nothing is sent no more rows when its token goes away`() async throws {
        let table = HandFedTable(rows: 3, source: InMemoryFeedSource(padding: 1000))
        let access = AccessList([AccessToken("gone")])
        try await withServer(feeds: [table.feed], options: Self.options(access)) { server, port in
            let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 4096)
            try await client.request("GET", "/feeds/orders?since=earliest", fields: ["Authorization: Bearer gone"])
            try await eventually { table.feed.subscriberCount == 1 }
            for _ in 0..<20 { table.publish(1000) }
            try await eventually {
                let figures = try await StreamClient.ask(port: port, "/metrics").body
                return figures.contains(/\nrowtail_bytes_sent_total \d{6,}/)
            }
            try await server.reload(options: Self.options(AccessList([])), feeds: [table.feed])
            try await client.resumeReading()
            #expect(try await client.head().status == 200)
            var rows = 0
            var last: StreamClient.Frame?
            while let event = try await client.event() {
                if event.event == nil { rows += 1 } else { last = event }
            }
            #expect(last?.data == #"{"reason":"unauthorized"}"#)
            #expect(rows < 20_000)
            #expect(await client.endedInOrder)
        }
    }
}
