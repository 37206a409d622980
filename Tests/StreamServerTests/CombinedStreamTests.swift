// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

/// Several feeds on one stream.
@Suite(.timeLimit(.minutes(1)))
struct CombinedStreamTests {
    private let orders = HandFedTable("orders", rows: 3)
    private let users = HandFedTable("users", rows: 5)

    private var feeds: [Feed] { [orders.feed, users.feed] }

    @Test func `ids name every feed in the order of the request, and events their own`() async throws {
        try await withServer(feeds: feeds) { _, port in
            let (client, head) = try await StreamClient.stream(port: port, "/feeds/users,orders")
            #expect(head.status == 200)
            let first = try await client.frame()
            #expect(first?.id == "users:5,orders:3")
            #expect(first?.comments == ["rowtail feeds users,orders"])
            #expect(first?.retry != nil && first?.data == nil)
            orders.publish()
            #expect(
                try await client.frame()
                    == StreamClient.Frame(id: "users:5,orders:4", event: "orders", data: "{\"id\":4}")
            )
            users.publish(2)
            #expect(
                try await client.events(2) == [
                    StreamClient.Frame(id: "users:6,orders:4", event: "users", data: "{\"id\":6}"),
                    StreamClient.Frame(id: "users:7,orders:4", event: "users", data: "{\"id\":7}"),
                ]
            )
        }
    }

    @Test(
        arguments: [
            ["Last-Event-ID: orders:1,users:4"], ["Last-Event-ID: users:4,orders:1"],
        ]
    )
    func `a client goes on exactly, in whatever order its id names the feeds`(_ fields: [String]) async throws {
        try await withServer(feeds: feeds) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders,users", fields: fields)
            #expect(try await client.frame()?.id == "orders:1,users:4")
            let events = try await client.events(3)
            #expect(events.compactMap { $0.event == "orders" ? $0.data : nil } == ["{\"id\":2}", "{\"id\":3}"])
            #expect(events.compactMap { $0.event == "users" ? $0.data : nil } == ["{\"id\":5}"])
            #expect(events.last?.id == "orders:3,users:5")
        }
    }

    @Test(
        arguments: [
            "orders%2Cusers?last_event_id=orders:1,users:4", "orders,users?since=orders:1,users:4",
            "orders,users?lastEventId=orders%3A1%2Cusers%3A4", "users,orders?since=orders:1,users:4",
        ]
    )
    func `an id may come in the query, and commas escaped`(_ path: String) async throws {
        try await withServer(feeds: feeds) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/\(path)")
            let id = try await client.frame()?.id
            #expect(id == (path.hasPrefix("users") ? "users:4,orders:1" : "orders:1,users:4"))
        }
    }

    @Test(
        arguments: [
            ("orders,users", "5", 400, "bad_event_id"), ("orders,users", "orders:1", 400, "bad_event_id"),
            ("orders,users", "orders:1,users:2,more:3", 400, "bad_event_id"),
            ("orders,users", "orders:1,orders:2", 400, "bad_event_id"),
            ("orders,users", "orders:1,users:x", 400, "bad_event_id"),
            ("orders,users", "orders:1,users:2~3", 400, "bad_event_id"),
            ("orders", "orders:1", 400, "bad_event_id"), ("orders,orders", nil, 400, "bad_request"),
            ("orders,users?since=2", nil, 400, "bad_event_id"), ("orders,none", nil, 404, "unknown_feed"),
            ("orders,", nil, 404, "unknown_feed"),
            (",", nil, 400, "bad_request"),
        ] as [(String, String?, Int, String)]
    )
    func `what makes no sense is refused`(_ names: String, _ id: String?, _ status: Int, _ code: String) async throws {
        try await withServer(feeds: feeds) { _, port in
            let fields = id.map { ["Last-Event-ID: \($0)"] } ?? []
            let answer = try await StreamClient.ask(port: port, "/feeds/\(names)", fields: fields)
            #expect(answer.head.status == status)
            #expect(answer.body.contains("\"code\":\"\(code)\""), "\(answer.body)")
        }
    }

    @Test func `a limit counts the events of all feeds, and the end is where the client can go on`() async throws {
        try await withServer(feeds: feeds, options: .with { $0.limits.streams = 1 }) { _, port in
            var seen: [String] = []
            var id: String?
            for _ in 0..<4 {
                let (client, head) = try await StreamClient.stream(
                    port: port,
                    "/feeds/orders,users?since=earliest&limit=2",
                    lastEventID: id
                )
                #expect(head.status == 200)
                let events = try await client.events(2)
                seen += events.map { "\($0.event ?? "") \($0.data ?? "")" }
                let end = try await client.frame()
                #expect(end?.event == "rowtail.end" && end?.data == #"{"reason":"limit"}"#)
                #expect(end?.id == events.last?.id)
                #expect(try await client.frame() == nil)
                #expect(await client.endedInOrder)
                id = end?.id
            }
            #expect(id == "orders:3,users:5")
            #expect(Set(seen).count == 8)
            let figures = try await StreamClient.ask(port: port, "/metrics").body
            #expect(figures.contains("rowtail_events_sent_total{feed=\"orders\"} 3\n"))
            #expect(figures.contains("rowtail_events_sent_total{feed=\"users\"} 5\n"))
            #expect(figures.contains("rowtail_streams_total{outcome=\"opened\"} 4\n"))
            #expect(figures.contains("rowtail_stream_closed_total{reason=\"limit\"} 4\n"))
        }
    }

    @Test func `all there is of all feeds, then the end; and nothing when nothing is new`() async throws {
        try await withServer(feeds: feeds) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders,users?until=head&last_event_id=orders:3,users:3")
            _ = try await client.head()
            #expect(try await client.events(2).map(\.id) == ["orders:3,users:4", "orders:3,users:5"])
            let end = try await client.frame()
            #expect(
                end
                    == StreamClient.Frame(
                        id: "orders:3,users:5",
                        event: "rowtail.end",
                        data: #"{"reason":"head"}"#
                    )
            )
            #expect(try await client.frame() == nil)
            // On the same connection.
            let path = "/feeds/orders,users?until=head"
            let nothing = try await client.ask(path, fields: ["Last-Event-ID: orders:3,users:5"])
            #expect(nothing.head.status == 204)
            let figures = try await client.ask("/metrics").body
            #expect(figures.contains("rowtail_subscribers{feed=\"users\",state=\"live\"} 0\n"))
        }
    }

    @Test func `a break of one feed is told on resume before its new position, and leaves the other alone`()
        async throws
    {
        orders.begin(.broken(1), last: 1)
        orders.publish(2)
        try await withServer(feeds: feeds) { _, port in
            let (client, _) = try await StreamClient.stream(
                port: port,
                "/feeds/orders,users",
                lastEventID: "orders:3,users:4"
            )
            let first = try await client.frame()
            #expect(first?.event == "rowtail.reset" && first?.retry != nil)
            #expect(first?.id == "orders:1@1,users:4")
            #expect(
                first?.data
                    == #"{"feed":"orders","reason":"rewound","requested":"3","resumed_from":"1@1"}"#
            )
            let events = try await client.events(3)
            #expect(events.filter { $0.event == "orders" }.map(\.data).count == 2)
            #expect(events.last?.id == "orders:3@1,users:5")
            let path = "/feeds/orders,users?on_reset=fail"
            let refused = try await StreamClient.ask(port: port, path, fields: ["Last-Event-ID: orders:3,users:9"])
            #expect(refused.head.status == 410)
        }
    }

    @Test func `a break is told while the stream is open`() async throws {
        try await withServer(feeds: feeds) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders,users")
            _ = try await client.frame()
            users.begin(.broken(2), last: 2)
            let reset = try await client.event()
            #expect(reset?.event == "rowtail.reset" && reset?.id == "orders:3,users:2@1")
            orders.publish()
            #expect(try await client.event()?.id == "orders:4,users:2@1")
        }
    }

    @Test func `a feed that waits for its table holds up none of the others`() async throws {
        let late = HandFedTable("late", polled: false)
        late.polled(.error, .waiting("there is no table"))
        try await withServer(feeds: feeds + [late.feed]) { _, port in
            let (stream, _) = try await StreamClient.stream(port: port, "/feeds/orders,late?since=-1")
            #expect(try await stream.frame()?.id == "orders:2,late:")
            #expect(try await stream.event()?.id == "orders:3,late:")
            // Comes back before the table is there: what it has counts, the rest is as at first.
            let (again, _) = try await StreamClient.stream(
                port: port,
                "/feeds/orders,late?since=-1",
                lastEventID: "orders:3,late:"
            )
            #expect(try await again.frame()?.id == "orders:3,late:")
            late.append(4)
            late.begin()
            for client in [stream, again] {
                #expect(try await client.frame() == StreamClient.Frame(id: "orders:3,late:3"))
                let row = try await client.event()
                #expect(row?.id == "orders:3,late:4" && row?.event == "late")
            }
        }
    }

    @Test func `a retired feed brings nothing, and the others go on`() async throws {
        let old = HandFedTable("old", rows: 2) { $0.isRetired = true }
        try await withServer(feeds: feeds + [old.feed]) { _, port in
            let id = "orders:2,old:2"
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders,old", lastEventID: id)
            #expect(try await client.frame()?.id == id)
            #expect(try await client.event()?.id == "orders:3,old:2")
        }
    }

    @Test func `the end of one is the end of all`() async throws {
        try await withServer(feeds: feeds) { server, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders,users")
            let (other, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            for client in [client, other] { _ = try await client.frame() }
            let options = ServerOptions.with { $0.endpoints = [.tcp(host: "127.0.0.1", port: port)] }
            try await server.reload(options: options, feeds: [orders.feed, HandFedTable("users", rows: 9).feed])
            let end = try await client.event()
            #expect(end?.event == "rowtail.end" && end?.data == #"{"reason":"reload"}"#)
            #expect(end?.id == "orders:3,users:5")
            #expect(try await client.frame() == nil)
            #expect(await client.endedInOrder)
            orders.publish()
            #expect(try await other.event()?.id == "4")
            #expect(orders.feed.subscriberCount == 1 && users.feed.subscriberCount == 0)
            let figures = try await StreamClient.ask(port: port, "/metrics").body
            #expect(figures.contains("rowtail_stream_closed_total{reason=\"reload\"} 1\n"))
        }
    }

    @Test func `a client that goes away leaves all feeds and gives one place back`() async throws {
        try await withServer(feeds: feeds, options: .with { $0.limits.streams = 1 }) { _, port in
            for _ in 0..<3 {
                let (client, head) = try await StreamClient.stream(port: port, "/feeds/orders,users")
                #expect(head.status == 200)
                _ = try await client.frame()
                #expect(orders.feed.subscriberCount == 1 && users.feed.subscriberCount == 1)
                await client.close()
                try await eventually { orders.feed.subscriberCount + users.feed.subscriberCount == 0 }
            }
            let figures = try await StreamClient.ask(port: port, "/metrics").body
            #expect(figures.contains("rowtail_stream_closed_total{reason=\"client\"} 3\n"))
        }
    }

    @Test func `a token has to cover every feed, and its end ends the stream`() async throws {
        let access = AccessList([AccessToken("one", feeds: ["orders"]), AccessToken("both")])
        try await withServer(feeds: feeds, options: .with { $0.access = access }) { server, port in
            let path = "/feeds/orders,users"
            let refused = try await StreamClient.ask(port: port, path, fields: ["Authorization: Bearer one"])
            #expect(refused.head.status == 403)
            let (client, _) = try await StreamClient.stream(port: port, path, fields: ["Authorization: Bearer both"])
            _ = try await client.frame()
            let options = ServerOptions.with {
                $0.access = AccessList([AccessToken("both", feeds: ["orders"])])
                $0.endpoints = [.tcp(host: "127.0.0.1", port: port)]
            }
            try await server.reload(options: options, feeds: feeds)
            #expect(try await client.event()?.data == #"{"reason":"unauthorized"}"#)
        }
    }

    @Test func `an idle stream gets one comment, whatever the number of its feeds`() async throws {
        let interval = Duration.milliseconds(100)
        try await withServer(feeds: feeds, options: .with { $0.heartbeatInterval = interval }) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders,users")
            _ = try await client.frame()
            let start = ContinuousClock.now
            for _ in 0..<6 { #expect(try await client.frame() == StreamClient.Frame(comments: ["heartbeat"])) }
            // Two for each interval would be here in half the time.
            #expect(ContinuousClock.now - start >= interval * 5)
        }
    }

    @Test func `by HTTP/2 and by HTTP/1.0 it is the same`() async throws {
        try await withTLSServer(feeds: feeds) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let (stream, _) = try await client.stream("/feeds/orders,users?since=earliest&until=head")
            let events = try await stream.events(9)
            #expect(events.last?.data == #"{"reason":"head"}"#)
            #expect(events.last?.id == "orders:3,users:5")
            #expect(try await stream.frame() == nil)
        }
        try await withServer(feeds: feeds) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.send("GET /feeds/orders,users?since=earliest&limit=8 HTTP/1.0\r\n\r\n")
            let text = await client.rest()
            #expect(text.contains("\nid: orders:3,users:5\ndata: {\"reason\":\"limit\"}\n\n"))
        }
    }

    @Test func `a client that stalls gets everything of all feeds when it reads on`() async throws {
        let rows: Int64 = 3000
        let big = (
            HandFedTable("orders", rows: rows, source: InMemoryFeedSource(feed: "orders", padding: 1000)),
            HandFedTable("users", rows: rows, source: InMemoryFeedSource(feed: "users", padding: 700))
        )
        try await withServer(feeds: [big.0.feed, big.1.feed]) { _, port in
            let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 8192)
            try await client.request("GET", "/feeds/orders,users?since=earliest")
            try await eventually { big.1.feed.subscriberCount == 1 }
            big.0.publish(10)
            try await client.resumeReading()
            _ = try await client.head()
            var (next, told) = (["orders": Int64(1), "users": 1], ["orders": Int64(0), "users": 0])
            for _ in 0..<(2 * rows + 10) {
                let event = try #require(try await client.event())
                let feed = try #require(event.event)
                #expect(event.data?.hasPrefix("{\"id\":\(next[feed] ?? 0),") == true)
                told[feed] = next[feed]
                next[feed, default: 0] += 1
                let ids = ["orders", "users"].map { name in
                    "\(name):" + (told[name] == 0 ? "earliest" : "\(told[name] ?? 0)")
                }
                #expect(event.id == ids.joined(separator: ","))
            }
            #expect(next == ["orders": rows + 11, "users": rows + 1])
        }
    }

    @Test func `cut at random it brings every row of every feed once`() async throws {
        var random = RandomizedTests.Seeded(state: 7)
        try await withServer(feeds: feeds, threads: 2) { _, port in
            var (id, rows) = ("orders:earliest,users:earliest", ["orders": [String](), "users": []])
            for round in 0..<60 {
                orders.publish(.random(in: 1...40, using: &random))
                if round.isMultiple(of: 3) { users.publish(.random(in: 1...40, using: &random)) }
                let limit = Bool.random(using: &random) ? "?limit=\(Int.random(in: 1...60, using: &random))" : ""
                let path = round == 59 ? "?until=head" : limit
                let (client, head) = try await StreamClient.stream(
                    port: port,
                    "/feeds/orders,users\(path)",
                    lastEventID: id
                )
                var rest = path.isEmpty ? Int.random(in: 0...80, using: &random) : .max
                while head.status == 200, rest > 0, let frame = try await client.frame() {
                    if let told = frame.id { id = told }
                    if let data = frame.data, let feed = frame.event, rows[feed] != nil { rows[feed]?.append(data) }
                    rest -= 1
                    // Nothing more is to come on a stream without an end.
                    if round < 59, id == "orders:\(orders.source.last),users:\(users.source.last)" { break }
                }
                await client.close()
            }
            #expect(rows["orders"] == (1...orders.source.last).map { "{\"id\":\($0)}" })
            #expect(rows["users"] == (1...users.source.last).map { "{\"id\":\($0)}" })
        }
    }
}
