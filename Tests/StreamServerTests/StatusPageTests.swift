// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import TestSupport
import Testing

@testable import StreamServer

/// The status page and the figures that it shows, as a client without a browser sees them.
@Suite(.timeLimit(.minutes(1)))
struct StatusPageTests {
    private static let html = ["Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"]
    private static let all = "all-0123456789abcdef"
    private static let some = "some-0123456789abcdef"

    private static func bearer(_ token: String) -> [String] { ["Authorization: Bearer \(token)"] }

    private static func list(query: Bool = false) -> AccessList {
        AccessList([AccessToken(all), AccessToken(some, feeds: ["orders"])], allowsQueryToken: query)
    }

    /// What `/status` tells, as far as tests look at it.
    private struct Answer: Decodable {
        struct Rows: Decodable {
            var seconds: Int
            var counts: [Int?]
        }
        struct Feed: Decodable {
            var name: String
            var table: String
            var mode: String
            var event: String?
            var state: String
            var reason: String?
            var lastError: String?
            var head: String
            var earliest: String
            var generation: Int
            var lag: Int?
            var lastSuccessSecondsAgo: Double?
            var live: Int
            var replaying: Int
            var resets: [String: Int]
            var rows: Rows
        }
        var version: String
        var uptimeSeconds: Double
        var streams: Int
        var streamLimit: Int?
        var needsToken: Bool
        var allowsQueryToken: Bool
        var feeds: [Feed]

        init(_ body: String) throws {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            self = try decoder.decode(Answer.self, from: Data(body.utf8))
        }
    }

    private static func status(port: Int, fields: [String] = []) async throws -> Answer {
        let (head, body) = try await StreamClient.ask(port: port, "/status", fields: fields)
        #expect(head.status == 200)
        #expect(head.fields["content-type"] == "application/json")
        return try Answer(body)
    }

    private static func nonce(of head: StreamClient.Head) throws -> String {
        let policy = try #require(head.fields["content-security-policy"])
        let match = try #require(try /script-src 'nonce-([0-9a-f]{32})'/.firstMatch(in: policy))
        let nonce = String(match.1)
        #expect(
            policy == """
                default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; \
                img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
                """
        )
        return nonce
    }

    @Test func `the page is one piece that a browser lets do nothing but what it is for`() async throws {
        try await withServer(feeds: [HandFedTable("orders", rows: 3).feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            var nonces: Set<String> = []
            for path in ["/", "/?x=1", "/"] {
                let (head, body) = try await client.ask(path)
                #expect(head.status == 200)
                #expect(head.fields["content-type"] == "text/html; charset=utf-8")
                #expect(head.fields["cache-control"] == "no-store")
                #expect(head.fields["x-content-type-options"] == "nosniff")
                #expect(head.fields["referrer-policy"] == "no-referrer")
                let nonce = try Self.nonce(of: head)
                nonces.insert(nonce)
                #expect(body.hasPrefix("<!doctype html>\n") && body.hasSuffix("</html>\n"))
                // Each of the parts, whole and in its place.
                #expect(body.contains("<style nonce=\"\(nonce)\">\n:root {"))
                #expect(body.contains("<script type=\"module\" nonce=\"\(nonce)\">\n// SPDX"))
                #expect(body.matches(of: /nonce="/).count == 2 && !body.contains("{{"))
                #expect(body.matches(of: /<\/script>/).count == 1 && body.matches(of: /<\/style>/).count == 1)
                #expect(
                    body.contains("class FeedStream {") && body.hasSuffix("poll();\n\n</script>\n</body>\n</html>\n")
                )
                // Nothing from elsewhere, nothing that the policy would refuse, no data.
                #expect(!body.contains("//cdn") && !body.contains("src=\"") && !body.contains("https://"))
                #expect(!body.contains(" style=\"") && !body.contains(" onclick=") && !body.contains("orders"))
            }
            #expect(nonces.count == 3)
        }
    }

    @Test func `the page and its figures are answered as other paths are`() async throws {
        try await withServer(feeds: [HandFedTable("orders", rows: 3).feed]) { _, port in
            for path in ["/", "/status"] {
                let (head, body) = try await StreamClient.ask(port: port, path, method: "HEAD")
                #expect(head.status == 200 && body == "")
                #expect(try #require(Int(head.fields["content-length"] ?? "")) > 100)
                #expect(try await StreamClient.ask(port: port, path, method: "OPTIONS").head.status == 204)
                let (refused, error) = try await StreamClient.ask(port: port, path, method: "POST")
                #expect(refused.status == 405 && refused.fields["allow"] == "GET, HEAD, OPTIONS")
                #expect(error.contains("method_not_allowed"))
                #expect(try await StreamClient.ask(port: port, "\(path)?access_token=x").head.status == 400)
            }
            #expect(try await StreamClient.ask(port: port, "/status/").head.status == 404)
            #expect(try await StreamClient.ask(port: port, "/index.html").head.status == 404)
        }
    }

    @Test func `the page goes out by HTTP/2 as well`() async throws {
        try await withTLSServer(feeds: [HandFedTable("orders", rows: 3).feed]) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            let page = try await client.ask("/")
            #expect(page.head.status == 200)
            let nonce = try Self.nonce(of: page.head)
            #expect(page.body.contains("nonce=\"\(nonce)\"") && page.body.hasSuffix("</html>\n"))
            #expect(try Answer(try await client.ask("/status").body).feeds.map(\.name) == ["orders"])
        }
    }

    @Test func `the figures tell how the daemon and each feed fare`() async throws {
        let orders = HandFedTable("orders", rows: 10) { $0.event = "order" }
        let users = HandFedTable("users", polled: false) {
            $0.mode = .updated
            $0.table = "app \"users\""
        }
        users.polled(.waiting, .waiting("there is no table 'users'"))
        let old = HandFedTable("old", polled: false) { $0.isRetired = true }
        let options = ServerOptions.with {
            $0.version = "1.2"
            $0.limits.streams = 7
        }
        try await withServer(feeds: [orders.feed, users.feed, old.feed], options: options, threads: 2) { _, port in
            let (live, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await live.frame()
            orders.publish(2)
            _ = try await live.events(2)
            orders.source.hold()
            let (behind, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=4")
            try await eventually { orders.source.readsHeld == 1 }
            var answer = try await Self.status(port: port)
            #expect(answer.version == "1.2" && answer.uptimeSeconds >= 0 && answer.uptimeSeconds < 60)
            #expect(answer.streams == 2 && answer.streamLimit == 7)
            #expect(!answer.needsToken && !answer.allowsQueryToken)
            #expect(answer.feeds.map(\.name) == ["orders", "users", "old"])
            let first = answer.feeds[0]
            #expect(first.table == "orders" && first.mode == "append" && first.event == "order")
            #expect(first.state == "live" && first.reason == nil && first.lastError == nil)
            #expect(first.head == "12" && first.earliest == "earliest" && first.generation == 0)
            #expect(first.lag == 8 && first.live == 1 && first.replaying == 1)
            #expect(try #require(first.lastSuccessSecondsAgo) < 60)
            #expect(first.resets == ["rewound": 0, "replaced": 0, "pruned": 0, "ahead": 0, "generation": 0])
            #expect(first.rows.seconds == 5 && first.rows.counts.count == 60)
            let second = answer.feeds[1]
            #expect(second.table == "app \"users\"" && second.mode == "updated" && second.event == nil)
            #expect(second.state == "waiting" && second.reason == "there is no table 'users'")
            #expect(second.lastError == second.reason && second.lastSuccessSecondsAgo == nil)
            // Times are no rows.
            #expect(second.lag == nil && second.head == "earliest")
            #expect(answer.feeds[2].state == "retired")

            orders.source.release()
            _ = try await behind.events(8)
            orders.begin(.broken(11), last: 11)
            #expect(try await live.event()?.event == "rowtail.reset")
            #expect(try await behind.event()?.event == "rowtail.reset")
            answer = try await Self.status(port: port)
            #expect(answer.feeds[0].generation == 1 && answer.feeds[0].head == "11@1")
            #expect(answer.feeds[0].resets["rewound"] == 2 && answer.feeds[0].lag == 0)
        }
    }

    @Test func `without a token a browser gets the page that asks for one, and others the error`() async throws {
        let feeds = [HandFedTable("orders", rows: 3), HandFedTable("users", rows: 3)].map(\.feed)
        let options = ServerOptions.with { $0.access = Self.list() }
        try await withServer(feeds: feeds, options: options) { _, port in
            let cases: [(token: [String], challenge: String)] = [
                ([], #"Bearer realm="rowtail""#),
                (Self.bearer("wrong"), #"Bearer realm="rowtail", error="invalid_token""#),
            ]
            for (token, challenge) in cases {
                let (page, body) = try await StreamClient.ask(port: port, "/", fields: token + Self.html)
                #expect(page.status == 401)
                #expect(page.fields["www-authenticate"] == challenge)
                #expect(page.fields["content-type"] == "text/html; charset=utf-8")
                let nonce = try Self.nonce(of: page)
                #expect(body.contains("nonce=\"\(nonce)\"") && !body.contains("orders"))
                let (head, empty) = try await StreamClient.ask(
                    port: port,
                    "/",
                    method: "HEAD",
                    fields: token + Self.html
                )
                #expect(head.status == 401 && empty == "")
                #expect(head.fields["content-length"] == page.fields["content-length"])
                for fields in [[], ["Accept: application/json"], ["Accept: */*"]] {
                    let (error, body) = try await StreamClient.ask(port: port, "/", fields: token + fields)
                    #expect(error.status == 401 && error.fields["www-authenticate"] == challenge)
                    #expect(body.hasPrefix(#"{"error":{"code":"unauthorized""#))
                }
                // The page alone: its figures stay an error, and so does anything but reading.
                for (path, method) in [("/status", "GET"), ("/feeds", "GET"), ("/", "POST")] {
                    let fields = token + Self.html
                    let (error, body) = try await StreamClient.ask(port: port, path, method: method, fields: fields)
                    #expect(error.status == 401 && body.hasPrefix(#"{"error":{"code":"unauthorized""#))
                }
            }
            let (page, _) = try await StreamClient.ask(port: port, "/", fields: Self.bearer(Self.some) + Self.html)
            #expect(page.status == 200)
        }
    }

    @Test func `the figures are those of the feeds that the token may read`() async throws {
        let feeds = [HandFedTable("orders", rows: 3), HandFedTable("users", rows: 3)].map(\.feed)
        for query in [false, true] {
            let options = ServerOptions.with { $0.access = Self.list(query: query) }
            try await withServer(feeds: feeds, options: options) { _, port in
                for (token, names) in [(Self.all, ["orders", "users"]), (Self.some, ["orders"])] {
                    let answer = try await Self.status(port: port, fields: Self.bearer(token))
                    #expect(answer.feeds.map(\.name) == names)
                    #expect(answer.needsToken && answer.allowsQueryToken == query)
                    let (head, _) = try await StreamClient.ask(port: port, "/status?access_token=\(token)")
                    #expect(head.status == (query ? 200 : 400))
                }
            }
        }
    }

    @Test func `where it is turned off, nothing is there, until a reload turns it on`() async throws {
        let feed = HandFedTable("orders", rows: 3).feed
        let off = ServerOptions.with { $0.statusPage = false }
        try await withServer(feeds: [feed], options: off) { server, port in
            func expect(_ status: Int) async throws {
                for path in ["/", "/status"] {
                    let (head, body) = try await StreamClient.ask(port: port, path, fields: Self.html)
                    #expect(head.status == status)
                    #expect(body.contains("not_found") == (status == 404))
                }
            }
            try await expect(404)
            #expect(try await StreamClient.ask(port: port, "/status", method: "OPTIONS").head.status == 404)
            var on = off
            on.statusPage = true
            try await server.reload(options: on, feeds: [feed])
            try await expect(200)
            try await server.reload(options: off, feeds: [feed])
            try await expect(404)
            // Who has no token isn't told that it is off.
            var guarded = off
            guarded.access = Self.list()
            try await server.reload(options: guarded, feeds: [feed])
            let (head, body) = try await StreamClient.ask(port: port, "/", fields: Self.html)
            #expect(head.status == 401 && body.contains("unauthorized"))
        }
    }
}
