// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct RequestTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        var request: String
        var status: Int
        var code: String

        init(_ path: String, method: String = "GET", fields: [String] = ["Host: a"], _ status: Int, _ code: String) {
            request = (["\(method) \(path) HTTP/1.1"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
            (self.status, self.code) = (status, code)
        }

        init(raw request: String, _ status: Int, _ code: String) {
            (self.request, self.status, self.code) = (request, status, code)
        }

        var testDescription: String { String(request.prefix(80)) }
    }

    static let refusals = [
        Refusal("/feed", 404, "not_found"),
        Refusal("/feeds/", 404, "not_found"),
        Refusal("/healthz/", 404, "not_found"),
        Refusal("/\"\u{7f}", 400, "bad_request"),
        Refusal("/feeds/nothing", 404, "unknown_feed"),
        Refusal("/feeds/orders/", 404, "unknown_feed"),
        Refusal("/feeds/Orders", 404, "unknown_feed"),
        Refusal("/feeds/orders?", method: "POST", 405, "method_not_allowed"),
        Refusal("/feeds", method: "DELETE", 405, "method_not_allowed"),
        Refusal("/metrics", method: "PUT", 405, "method_not_allowed"),
        Refusal("/healthz", method: "TRACE", 405, "method_not_allowed"),
        // Some that the parser knows, and some that nobody does.
        Refusal("/feeds/orders", method: "QUERY", 405, "method_not_allowed"),
        Refusal("/feeds/orders", method: "FOO", 405, "method_not_allowed"),
        Refusal("/feeds/orders", method: "get", 405, "method_not_allowed"),
        Refusal("/feeds", method: "GETS", 405, "method_not_allowed"),
        Refusal("/", method: "~1.!#$%&'*+-^_`|", 405, "method_not_allowed"),
        Refusal(raw: "FOO /feeds HTTP/1.0\r\n\r\n", 405, "method_not_allowed"),
        Refusal("/feed", method: "FOO", 404, "not_found"),
        Refusal("/feeds/orders", method: "FOO", fields: [], 400, "bad_request"),
        Refusal("/feeds/orders", method: "FO:O", 400, "bad_request"),
        Refusal("/feeds/orders", method: "FÖÖ", 400, "bad_request"),
        Refusal(raw: "FOO /feeds HTTP/2.0\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "FOO /feeds\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "FOO HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "foo bar baz\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal("/feeds/orders?offset=3", 400, "unknown_parameter"),
        Refusal("/feeds/orders?access_token=x", 400, "unknown_parameter"),
        Refusal("/feeds/orders?=", 400, "unknown_parameter"),
        Refusal("/feeds/orders?since=3&since=3", 400, "bad_request"),
        Refusal("/feeds/orders?last_event_id=3&lastEventId=3", 400, "bad_request"),
        Refusal("/feeds/orders?limit=0", 400, "bad_request"),
        Refusal("/feeds/orders?limit=-1", 400, "bad_request"),
        Refusal("/feeds/orders?limit=", 400, "bad_request"),
        Refusal("/feeds/orders?limit=9223372036854775808", 400, "bad_request"),
        Refusal("/feeds/orders?until=tomorrow", 400, "bad_request"),
        Refusal("/feeds/orders?on_reset=", 400, "bad_request"),
        Refusal("/feeds/orders?since=%zz", 400, "bad_request"),
        Refusal("/feeds/orders?since=%ff", 400, "bad_request"),
        Refusal("/feeds/orders?since=", 400, "bad_event_id"),
        Refusal("/feeds/orders?since=-0x1", 400, "bad_event_id"),
        Refusal("/feeds/orders?since=-0", 400, "bad_request"),
        Refusal("/feeds/orders?since=-9223372036854775809", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=abc", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=5@", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=5@-1", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=5@1@1", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=9223372036854775808", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=+5", 400, "bad_event_id"),
        Refusal("/feeds/orders?last_event_id=orders:5", 400, "bad_event_id"),
        Refusal("/feeds/orders", fields: ["Host: a", "Last-Event-ID: five"], 400, "bad_event_id"),
        Refusal("/feeds/orders?since=1", fields: ["Host: a", "Last-Event-ID: 1 2"], 400, "bad_event_id"),
        Refusal("/feeds/orders", fields: ["Host: a", "Last-Event-ID: 5", "Last-Event-ID: 5"], 400, "bad_request"),
        Refusal("/feeds/orders", fields: [], 400, "bad_request"),
        Refusal("/feeds/orders", fields: ["Host: a", "Host: b"], 400, "bad_request"),
        Refusal("/feeds/orders", fields: ["Host: a", "No colon"], 400, "bad_request"),
        Refusal("/feeds/orders", fields: ["Host : a"], 400, "bad_request"),
        Refusal("/feeds/orders", fields: ["Host: a", "Folded: a", " b"], 400, "bad_request"),
        Refusal("/feeds/orders", fields: ["Host: a", "Nothing: \0"], 400, "bad_request"),
        Refusal(raw: "GET /feeds HTTP/1.2\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "GET /feeds HTTP/3.0\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "GET /feeds\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "GET /feeds HTTP/1.1\nHost: a\n\n", 400, "bad_request"),
        Refusal(raw: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\n\n", 400, "bad_request"),
        Refusal(raw: "x\r\n\r\n", 400, "bad_request"),
        Refusal(raw: "GET  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad_request"),
        Refusal(
            raw: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "bad_request"
        ),
        Refusal("/feeds/orders?last_event_id=\(String(repeating: "1", count: 2000))", 400, "bad_event_id"),
        Refusal("/feeds/orders?since=\(String(repeating: "1", count: 20_000))", 431, "head_too_large"),
        Refusal("/healthz", fields: ["Host: a", "X: \(String(repeating: "x", count: 17_000))"], 431, "head_too_large"),
        Refusal(raw: "GET \(String(repeating: "/", count: 1 << 20))", 431, "head_too_large"),
        Refusal(
            raw: "GET / HTTP/1.1\r\n\(String(repeating: "Host: a\r\n", count: 3000))\r\n",
            431,
            "head_too_large"
        ),
    ]

    @Test(arguments: refusals)
    func `a request that can't be served is answered once, with a code and a message`(_ refusal: Refusal) async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.requestTimeout = .seconds(3) }) {
            _,
            port in
            let client = try await StreamClient.connect(port: port)
            try await client.send(refusal.request)
            let (head, body) = try await client.answer()
            #expect(head.status == refusal.status)
            #expect(head.fields["content-type"] == "application/json")
            #expect(body.hasPrefix("{\"error\":{\"code\":\"\(refusal.code)\",\"message\":\""))
            #expect(body.hasSuffix("\"}}\n"))
            #expect(!body.contains("\\u{") && !body.contains("Optional("))
            if refusal.status == 405 {
                #expect(head.fields["allow"] == "GET, HEAD, OPTIONS")
                #expect(body.contains("\"\(refusal.request.prefix { $0 != " " }) is not possible here"))
            }
            if head.fields["connection"] == "close" {
                #expect(await client.rest() == "")
            } else {
                // Nothing of it is left on the connection.
                #expect(try await client.ask("/healthz").body == "{\"status\":\"ok\"}\n")
            }
            #expect(table.feed.subscriberCount == 0)
        }
    }

    @Test(arguments: ["/healthz", "/readyz", "/metrics", "/feeds", "/nothing", "/feeds/nothing", "/feeds/orders?x=1"])
    func `HEAD gets the head of GET and no body`(_ path: String) async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let get = try await client.ask(path).head
            let head = try await client.ask(path, method: "HEAD").head
            #expect(head.status == get.status)
            #expect(Set(head.fields.keys) == Set(get.fields.keys))
            #expect(head.fields["content-type"] == get.fields["content-type"])
            #expect(try await client.ask("/healthz").body == "{\"status\":\"ok\"}\n")
        }
    }

    @Test func `HEAD of a stream ends with its head`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 1 }) { _, port in
            for _ in 0..<3 {
                let client = try await StreamClient.connect(port: port)
                let (head, _) = try await client.ask("/feeds/orders", method: "HEAD", fields: ["Last-Event-ID: 1"])
                #expect(head.statusLine == "HTTP/1.1 200 OK")
                #expect(head.fields["content-type"] == "text/event-stream")
                #expect(head.fields["connection"] == "close")
                #expect(await client.rest() == "")
            }
            let gone = try await StreamClient.ask(port: port, "/feeds/orders?until=head", method: "HEAD").head
            #expect(gone.status == 204)
        }
    }

    @Test(arguments: ["/feeds", "/feeds/orders", "*", "/healthz"])
    func `OPTIONS says what is possible`(_ path: String) async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let (head, _) = try await client.ask(path, method: "OPTIONS")
            #expect(head.statusLine == "HTTP/1.1 204 No Content")
            #expect(head.fields["allow"] == "GET, HEAD, OPTIONS")
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }

    @Test func `a target may name the server`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let (head, body) = try await StreamClient.ask(port: port, "http://localhost:\(port)/healthz?x=1")
            #expect(head.status == 200)
            #expect(body == "{\"status\":\"ok\"}\n")
        }
    }

    @Test(
        arguments: [
            "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "POST /feeds HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel",
            "POST /feeds HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            "GET /feeds/orders?since=1&limit=2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        ]
    )
    func `a request with a body is answered from its head, and its connection closed`(_ request: String) async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.send(request)
            let head = try await client.head()
            #expect(head.status == (request.hasPrefix("POST") ? 405 : 200))
            #expect(head.fields["connection"] == "close")
            #expect(!(await client.rest()).contains("HTTP/1.1"))
        }
    }

    @Test(arguments: ["/feeds/orders?since=1&limit=2", "/healthz", "/feeds/nothing"])
    func `S8: a body is never taken for a request`(_ path: String) async throws {
        let table = HandFedTable(rows: 3)
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", path, fields: ["Content-Length: \(smuggled.utf8.count)"])
            try await client.send(smuggled)
            #expect((await client.rest()).components(separatedBy: "HTTP/1.1 ").count == 2)
        }
    }

    @Test func `a huge body is not read for long`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("POST", "/feeds/orders", fields: ["Content-Length: 1000000000"])
            #expect(try await client.answer().head.status == 405)
            // The server drops what comes for a while, then closes.
            let megabyte = String(repeating: "x", count: 1 << 20)
            await #expect(throws: (any Error).self) {
                while true { try await client.send(megabyte) }
            }
        }
    }

    @Test func `a request for another protocol is answered in HTTP/1.1 and is the last`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            let fields = [
                "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
            ]
            let (head, _) = try await client.ask("/healthz", fields: fields)
            #expect(head.statusLine == "HTTP/1.1 200 OK")
            #expect(head.fields["connection"] == "close")
            #expect(await client.rest() == "")
        }
    }
}
