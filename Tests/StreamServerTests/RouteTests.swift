// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import TestSupport
import Testing

@testable import StreamServer

@Suite(.timeLimit(.minutes(1)))
struct RouteTests {
    @Test func `the feeds are told with where they stand`() async throws {
        let orders = HandFedTable("orders", rows: 3)
        let users = HandFedTable("users", rows: 7, polled: false) { $0.table = "app \"users\"\n" }
        users.begin(.broken(5))
        let missing = HandFedTable("missing", polled: false)
        missing.polled(.waiting, .waiting("there is no table 'missing'"))
        let retired = HandFedTable("old", polled: false) { $0.isRetired = true }
        try await withServer(feeds: [orders.feed, users.feed, missing.feed, retired.feed], threads: 2) { _, port in
            let (stream, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await stream.frame()
            users.polled(.error, .broken("the file is malformed; restore it"))
            let (head, body) = try await StreamClient.ask(port: port, "/feeds")
            #expect(head.status == 200)
            #expect(head.fields["content-type"] == "application/json")
            #expect(
                body == """
                    {"feeds":[\
                    {"name":"orders","table":"orders","mode":"append","head":"3","earliest":"earliest","generation":0,\
                    "subscribers":1,"state":"live","last_error":null},\
                    {"name":"users","table":"app \\"users\\"\\u000a","mode":"append","head":"7@1","earliest":"earliest@1",\
                    "generation":1,"subscribers":0,"state":"broken","last_error":"the file is malformed; restore it"},\
                    {"name":"missing","table":"missing","mode":"append","head":"earliest","earliest":"earliest",\
                    "generation":0,"subscribers":0,"state":"waiting","last_error":"there is no table 'missing'"},\
                    {"name":"old","table":"old","mode":"append","head":"earliest","earliest":"earliest","generation":0,\
                    "subscribers":0,"state":"retired","last_error":null}]}\n
                    """
            )
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(body.utf8)) }
        }
    }

    @Test func `the daemon is ready while every feed is live and was polled lately`() async throws {
        let orders = HandFedTable("orders", rows: 3)
        let users = HandFedTable("users", polled: false)
        try await withServer(feeds: [orders.feed, users.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            func expect(_ isReady: Bool, _ state: String) async throws {
                let (head, body) = try await client.ask("/readyz")
                #expect(head.status == (isReady ? 200 : 503))
                #expect(body == "{\"ready\":\(isReady),\"feeds\":{\"orders\":\"live\",\"users\":\"\(state)\"}}\n")
                #expect(try await client.ask("/healthz").head.status == 200)
            }
            try await expect(false, "waiting")
            users.begin()
            try await expect(true, "live")
            users.polled(.error, .broken("it is malformed"))
            try await expect(false, "broken")
            users.polled()
            try await expect(true, "live")
            users.polled(.waiting, .waiting("it is gone"))
            try await expect(false, "waiting")
        }
    }

    @Test(arguments: [(Duration.seconds(1), 10), (.milliseconds(10), 10), (.seconds(3), 15), (.seconds(3600), 18_000)])
    func `a feed that was not polled for long isn't ready`(_ interval: Duration, _ patience: Int) {
        let table = HandFedTable(rows: 3)
        let health = HealthRoutes()
        func answer(after seconds: Int) -> String {
            health.ready([table.feed], pollInterval: interval, at: .now + .seconds(seconds)).body
        }
        #expect(answer(after: patience - 1) == "{\"ready\":true,\"feeds\":{\"orders\":\"live\"}}\n")
        let late = answer(after: patience + 1)
        #expect(late == "{\"ready\":false,\"feeds\":{\"orders\":\"live\"}}\n")
    }

    @Test func `every figure of the contract is there, in a format that Prometheus reads`() async throws {
        let table = HandFedTable("orders", rows: 3)
        try await withServer(feeds: [table.feed, HandFedTable("users").feed], options: .with { $0.version = "1.2\"3" })
        {
            _,
            port in
            let (head, body) = try await StreamClient.ask(port: port, "/metrics")
            #expect(head.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let figures = try Figures(body)
            #expect(
                figures.types == [
                    "rowtail_polls_total": "counter", "rowtail_poll_seconds": "histogram",
                    "rowtail_rows_total": "counter", "rowtail_head_position": "gauge", "rowtail_lag_rows": "gauge",
                    "rowtail_last_success_timestamp_seconds": "gauge", "rowtail_resets_total": "counter",
                    "rowtail_subscribers": "gauge", "rowtail_streams_total": "counter",
                    "rowtail_resumes_total": "counter", "rowtail_stream_closed_total": "counter",
                    "rowtail_events_sent_total": "counter", "rowtail_bytes_sent_total": "counter",
                    "rowtail_replay_pages_total": "counter", "rowtail_delivery_seconds": "histogram",
                    "rowtail_build_info": "gauge", "rowtail_late_rows_total": "counter",
                    "rowtail_future_rows": "gauge",
                ]
            )
            #expect(figures["rowtail_build_info{version=\"1.2\\\"3\"}"] == 1)
            #expect(figures["rowtail_last_success_timestamp_seconds{feed=\"orders\"}"] == 1_790_000_000)
            #expect(figures["rowtail_head_position{feed=\"orders\"}"] == 3)
            #expect(figures["rowtail_polls_total{feed=\"orders\",result=\"quiet\"}"] == 1)
        }
    }

    @Test func `figures move with what happens`() async throws {
        let table = HandFedTable("orders", rows: 10)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 3 }, threads: 2) { _, port in
            let (live, _) = try await StreamClient.stream(port: port, "/feeds/orders", lastEventID: "10")
            let (slow, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await live.frame()
            _ = try await slow.frame()
            table.publish(2)
            _ = try await live.events(2)
            _ = try await slow.events(2)
            table.source.hold()
            let (behind, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=4")
            try await eventually { table.source.readsHeld == 1 }
            _ = try await StreamClient.ask(port: port, "/feeds/orders")
            var figures = try Figures(try await StreamClient.ask(port: port, "/metrics").body)
            #expect(figures["rowtail_subscribers{feed=\"orders\",state=\"live\"}"] == 2)
            #expect(figures["rowtail_subscribers{feed=\"orders\",state=\"replaying\"}"] == 1)
            #expect(figures["rowtail_lag_rows{feed=\"orders\"}"] == 8)
            #expect(figures["rowtail_head_position{feed=\"orders\"}"] == 12)
            #expect(figures["rowtail_rows_total{feed=\"orders\"}"] == 2)
            #expect(figures["rowtail_events_sent_total{feed=\"orders\"}"] == 4)
            #expect(figures["rowtail_streams_total{outcome=\"opened\"}"] == 3)
            #expect(figures["rowtail_streams_total{outcome=\"limited\"}"] == 1)
            #expect(figures["rowtail_resumes_total{outcome=\"exact\"}"] == 1)
            #expect(figures["rowtail_polls_total{feed=\"orders\",result=\"rows\"}"] == 1)
            #expect(figures["rowtail_poll_seconds_count{feed=\"orders\"}"] == 2)
            #expect(figures["rowtail_poll_seconds_bucket{feed=\"orders\",le=\"0.00025\"}"] == 0)
            #expect(figures["rowtail_poll_seconds_bucket{feed=\"orders\",le=\"0.0005\"}"] == 2)
            #expect(figures["rowtail_poll_seconds_bucket{feed=\"orders\",le=\"+Inf\"}"] == 2)
            #expect(try #require(figures["rowtail_delivery_seconds_count"]) >= 1)

            table.source.release()
            _ = try await behind.events(8)
            await behind.close()
            try await eventually { table.feed.subscriberCount == 2 }
            table.begin(.broken(11), last: 11)
            #expect(try await live.event()?.event == "rowtail.reset")
            #expect(try await slow.event()?.event == "rowtail.reset")
            await slow.close()
            try await eventually { table.feed.subscriberCount == 1 }
            let (resumed, _) = try await StreamClient.stream(port: port, "/feeds/orders?limit=1", lastEventID: "12")
            #expect(try await resumed.frame()?.event == "rowtail.reset")
            table.publish()
            while try await resumed.frame() != nil {}
            _ = try await StreamClient.ask(port: port, "/feeds/orders?until=head")
            _ = try await StreamClient.ask(port: port, "/feeds/orders?since=99&on_reset=fail")
            figures = try Figures(try await StreamClient.ask(port: port, "/metrics").body)
            #expect(figures["rowtail_resets_total{feed=\"orders\",reason=\"rewound\"}"] == 3)
            #expect(figures["rowtail_resumes_total{outcome=\"rewound\"}"] == 1)
            #expect(figures["rowtail_stream_closed_total{reason=\"client\"}"] == 2)
            #expect(figures["rowtail_stream_closed_total{reason=\"limit\"}"] == 1)
            #expect(figures["rowtail_streams_total{outcome=\"nothing_new\"}"] == 1)
            #expect(figures["rowtail_streams_total{outcome=\"refused\"}"] == 1)
            #expect(figures["rowtail_replay_pages_total"] == Double(table.source.pagesRead))
            #expect(figures["rowtail_lag_rows{feed=\"orders\"}"] == 0)
        }
    }

    /// A request and whether it counts as one for a stream that was refused.
    struct Refused: Sendable, CustomTestStringConvertible {
        var request: String
        var status: Int
        var counts: Bool

        /// Sent with a token for all feeds unless there is another.
        init(
            _ path: String,
            method: String = "GET",
            fields: [String] = ["Authorization: Bearer \(AuthTests.all)"],
            _ status: Int,
            counts: Bool
        ) {
            request = (["\(method) \(path) HTTP/1.1", "Host: a"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
            (self.status, self.counts) = (status, counts)
        }

        var testDescription: String { request }
    }

    static let refused = [
        Refused("/feeds/orders?since=x", 400, counts: true),
        Refused("/feeds/orders?limit=0", 400, counts: true),
        Refused("/feeds/orders?offset=3", 400, counts: true),
        Refused("/feeds/orders?offset=3", method: "HEAD", 400, counts: true),
        Refused("/feeds/orders?since=2000-01-01T00:00:00Z", 400, counts: true),
        Refused("/feeds/orders?last_event_id=99&on_reset=fail", 410, counts: true),
        Refused("/feeds/orders,users?limit=0", 400, counts: true),
        Refused("/feeds/orders,orders", 400, counts: true),
        Refused("/feeds/orders?access_token=x", 400, counts: true),
        Refused("/feeds/users", fields: ["Authorization: Bearer \(AuthTests.some)"], 403, counts: true),
        Refused("/feeds/lost", fields: ["Authorization: Bearer \(AuthTests.some)"], 404, counts: false),
        Refused("/feeds/other", fields: ["Authorization: Bearer \(AuthTests.some)"], 403, counts: false),
        Refused("/feeds/orders,lost?limit=0", 404, counts: false),
        Refused("/feeds/lost,lost", 400, counts: false),
        Refused("/feeds/orders?limit=0", fields: [], 401, counts: false),
        Refused("/feeds/orders?limit=0", method: "POST", 405, counts: false),
        Refused("/feeds/orders?access_token=x", method: "POST", 400, counts: false),
        Refused("/feeds?access_token=x", 400, counts: false),
        Refused("/feed?limit=0", 404, counts: false),
        Refused("/feeds/orders?until=head&since=latest", 204, counts: false),
    ]

    @Test(arguments: refused)
    func `what is refused for what it asks of a known feed counts as refused`(_ refused: Refused) async throws {
        let access = AccessList([AccessToken(AuthTests.all), AccessToken(AuthTests.some, feeds: ["orders", "lost"])])
        try await AuthTests.withFeeds(access) { port in
            let client = try await StreamClient.connect(port: port)
            try await client.send(refused.request)
            #expect(try await client.head().status == refused.status)
            let figures = try Figures(try await StreamClient.ask(port: port, "/metrics").body)
            #expect(figures["rowtail_streams_total{outcome=\"refused\"}"] == (refused.counts ? 1 : 0))
            #expect(figures["rowtail_streams_total{outcome=\"opened\"}"] == 0)
        }
    }
}

/// Figures in Prometheus' text format, read strictly.
private struct Figures {
    struct Malformed: Error {
        var line: String
    }

    private(set) var types: [String: String] = [:]
    private var values: [String: Double] = [:]

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(line: text) }
        var helped: Set<String> = []
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if line.hasPrefix("# HELP "), words.count == 4 {
                helped.insert(words[2])
            } else if line.hasPrefix("# TYPE "), words.count == 4, helped.contains(words[2]), types[words[2]] == nil {
                types[words[2]] = words[3]
            } else {
                guard let match = try #/([a-z_]+)(\{([a-z]+="([^"\\]|\\["\\n])*",?)+\})? (\S+)/#.wholeMatch(in: line),
                    let value = Double(match.5)
                else { throw Malformed(line: String(line)) }
                let name = String(match.1)
                let family = ["_bucket", "_sum", "_count"].first { name.hasSuffix($0) && types[name] == nil }
                guard types[String(name.dropLast(family?.count ?? 0))] != nil, self[name + (match.2 ?? "")] == nil
                else {
                    throw Malformed(line: String(line))
                }
                values[name + (match.2 ?? "")] = value
            }
        }
    }

    subscript(_ sample: String) -> Double? { values[sample] }
}
