// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import TestSupport
import Testing

@testable import StreamServer

/// Who may read, and what those are told who may not.
@Suite(.timeLimit(.minutes(1)))
struct AuthTests {
    static let all = "all-0123456789abcdef"
    static let some = "some-0123456789abcdef"
    private static let challenge = #"Bearer realm="rowtail""#

    /// A request and what it must be answered.
    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        var fields: [String] = []
        var method = "GET"
        var status: Int
        var code: String?
        var challenge: String?

        var testDescription: String { "\(method) \(path) \(fields)" }
    }

    private static func bearer(_ token: String) -> [String] { ["Authorization: Bearer \(token)"] }

    /// Runs a server with two feeds of three rows.
    static func withFeeds(
        _ access: AccessList?,
        cors: CORSPolicy = CORSPolicy(),
        _ body: (_ port: Int) async throws -> Void
    ) async throws {
        let feeds = [HandFedTable("orders", rows: 3), HandFedTable("users", rows: 3)].map(\.feed)
        let options = ServerOptions.with {
            $0.access = access
            $0.cors = cors
        }
        try await withServer(feeds: feeds, options: options) { _, port in try await body(port) }
    }

    private static func list(query: Bool = false) -> AccessList {
        AccessList([AccessToken(all), AccessToken(some, feeds: ["orders", "lost"])], allowsQueryToken: query)
    }

    private static func expect(_ testCase: Case, port: Int) async throws {
        let (head, body) = try await StreamClient.ask(
            port: port,
            testCase.path,
            method: testCase.method,
            fields: testCase.fields
        )
        #expect(head.status == testCase.status, "\(body)")
        #expect(head.fields["www-authenticate"] == testCase.challenge)
        if let code = testCase.code, testCase.method != "HEAD" {
            #expect(body.hasPrefix(#"{"error":{"code":"\#(code)","message":""#), "\(body)")
        }
        for token in [all, some] { #expect(!body.contains(token)) }
    }

    private static let once = "/feeds/orders?since=1&limit=1"
    private static let unauthorized = Case(path: "", status: 401, code: "unauthorized", challenge: challenge)
    private static func unauthorized(_ path: String, _ fields: [String] = [], _ method: String = "GET") -> Case {
        Case(path: path, fields: fields, method: method, status: 401, code: "unauthorized", challenge: challenge)
    }
    private static func wrong(_ fields: [String]) -> Case {
        let challenge = #"\#(challenge), error="invalid_token""#
        return Case(path: once, fields: fields, status: 401, code: "unauthorized", challenge: challenge)
    }
    private static func forbidden(_ path: String) -> Case {
        let challenge = #"\#(challenge), error="insufficient_scope""#
        return Case(path: path, fields: bearer(some), status: 403, code: "forbidden", challenge: challenge)
    }

    private static let cases: [Case] = [
        // Strangers learn nothing: not what there is, nor what may be asked.
        unauthorized(once), unauthorized("/feeds"), unauthorized("/feeds/nothing"), unauthorized("/feeds/"),
        unauthorized("/"), unauthorized("/?x=1"), unauthorized("/feeds/orders?x=1"),
        unauthorized("/feeds/orders", ["Last-Event-ID: ~~~"]), unauthorized(once, [], "HEAD"),
        unauthorized(once, [], "POST"), unauthorized("/feeds", [], "DELETE"),
        // What is no token.
        unauthorized(once, ["Authorization: Bearer"]), unauthorized(once, ["Authorization: "]),
        unauthorized(once, ["Authorization: Basic \(all)"]), unauthorized(once, ["Authorization: \(all)"]),
        // Tokens that are wrong in some way.
        wrong(bearer("x")), wrong(bearer(String(all.dropLast()))), wrong(bearer("\(all)0")),
        wrong(bearer("Z\(all.dropFirst())")), wrong(bearer("\(all.dropLast())g")), wrong(bearer("\(all) \(all)")),
        wrong(bearer("\(all),")), wrong(bearer(all.uppercased())), wrong(bearer(String(repeating: "a", count: 9000))),
        wrong(bearer("caf\u{E9}")),
        // Ways that don't count.
        Case(path: once, fields: bearer(all) + bearer(all), status: 400, code: "bad_request"),
        Case(path: "\(once)&access_token=\(all)", status: 400, code: "unknown_parameter"),
        Case(path: "/feeds?access_token=", status: 401, code: "unauthorized", challenge: challenge),
        Case(path: "\(once)&access_token=\(all)", fields: bearer(all), status: 400, code: "unknown_parameter"),
        // The holder of a token is told what is wrong.
        Case(path: once, fields: bearer(all), status: 200),
        Case(path: once, fields: ["authorization: bEARER   \(all)  "], status: 200),
        Case(path: once, fields: bearer(all), method: "HEAD", status: 200),
        Case(path: "/feeds/users?since=1&limit=1", fields: bearer(all), status: 200),
        Case(path: "/feeds/nothing", fields: bearer(all), status: 404, code: "unknown_feed"),
        Case(path: "/feeds/", fields: bearer(all), status: 404, code: "not_found"),
        Case(path: "/feeds/orders?x=1", fields: bearer(all), status: 400, code: "unknown_parameter"),
        Case(path: once, fields: bearer(all), method: "POST", status: 405, code: "method_not_allowed"),
        // A token of some feeds doesn't tell whether there are others.
        Case(path: once, fields: bearer(some), status: 200),
        forbidden("/feeds/users"), forbidden("/feeds/nothing"), forbidden("/feeds/users?x=1"),
        forbidden("/feeds/orders,users"),
        Case(path: "/feeds/lost", fields: bearer(some), status: 404, code: "unknown_feed"),
        // What needs no token.
        Case(path: "/healthz", status: 200), Case(path: "/readyz", status: 200), Case(path: "/metrics", status: 200),
        Case(path: "/nothing", status: 404, code: "not_found"), Case(path: "/feed", status: 404, code: "not_found"),
        Case(path: once, method: "OPTIONS", status: 204), Case(path: "/feeds/nothing", method: "OPTIONS", status: 204),
    ]

    @Test(arguments: cases)
    func `a token is needed to read, and only what it covers is told`(testCase: Case) async throws {
        try await Self.withFeeds(Self.list()) { try await Self.expect(testCase, port: $0) }
    }

    private static let queryCases: [Case] = [
        Case(path: "\(once)&access_token=\(all)", status: 200),
        Case(path: "/feeds/orders?access%5Ftoken=%61\(all.dropFirst())&since=1&limit=1", status: 200),
        Case(path: "/feeds?access_token=\(some)", status: 200), Case(path: once, fields: bearer(all), status: 200),
        Case(path: "/feeds/users?access_token=\(all)&x=1", status: 400, code: "unknown_parameter"),
        Case(path: "\(once)&access_token=\(all)", fields: bearer(all), status: 400, code: "bad_request"),
        Case(path: "\(once)&access_token=\(all)&access_token=\(all)", status: 400, code: "bad_request"),
        Case(path: "\(once)&access_token=\(all)%", status: 400, code: "bad_request"),
        Case(path: "\(once)&access_token=%ff\(all)", status: 400, code: "bad_request"),
        Case(path: "\(once)&access_token=", status: 401, code: "unauthorized", challenge: challenge),
        Case(path: "\(once)&access_token", status: 401, code: "unauthorized", challenge: challenge),
        Case(path: "\(once)&Access_Token=\(all)", status: 401, code: "unauthorized", challenge: challenge),
        Case(
            path: "\(once)&access_token=\(all)0",
            status: 401,
            code: "unauthorized",
            challenge: #"\#(challenge), error="invalid_token""#
        ),
        Case(
            path: "/feeds/users?access_token=\(some)",
            status: 403,
            code: "forbidden",
            challenge: #"\#(challenge), error="insufficient_scope""#
        ),
    ]

    @Test(arguments: queryCases)
    func `a token may stand in the query where that is allowed`(testCase: Case) async throws {
        try await Self.withFeeds(Self.list(query: true)) { try await Self.expect(testCase, port: $0) }
    }

    @Test func `a plus in a token of the query means itself`() async throws {
        let access = AccessList([AccessToken("a+b/c==")], allowsQueryToken: true)
        try await Self.withFeeds(access) { port in
            for written in ["a+b/c==", "a%2Bb%2Fc%3D%3D"] {
                let testCase = Case(path: "\(Self.once)&access_token=\(written)", status: 200)
                try await Self.expect(testCase, port: port)
            }
        }
    }

    @Test func `where everybody may read, tokens are of no interest, but none may stand in the query`() async throws {
        try await Self.withFeeds(nil) { port in
            for fields in [[], Self.bearer("x"), Self.bearer("x") + Self.bearer("y"), ["Authorization: Basic eA=="]] {
                try await Self.expect(Case(path: Self.once, fields: fields, status: 200), port: port)
            }
            for path in ["\(Self.once)&access_token=\(Self.all)", "/feeds?access_token=\(Self.all)"] {
                try await Self.expect(Case(path: path, status: 400, code: "unknown_parameter"), port: port)
            }
        }
    }

    @Test func `an empty list lets nobody read`() async throws {
        try await Self.withFeeds(AccessList([])) { port in
            try await Self.expect(Self.unauthorized(Self.once), port: port)
            try await Self.expect(Self.wrong(Self.bearer("x")), port: port)
            try await Self.expect(Case(path: "/healthz", status: 200), port: port)
        }
    }

    @Test func `the list of feeds has those that the token may read`() async throws {
        try await Self.withFeeds(Self.list()) { port in
            for (token, names) in [(Self.all, ["orders", "users"]), (Self.some, ["orders"])] {
                let (_, body) = try await StreamClient.ask(port: port, "/feeds", fields: Self.bearer(token))
                #expect(body.matches(of: /"name":"([^"]*)"/).map { String($0.output.1) } == names)
            }
        }
    }

    @Test func `each request of a connection is judged by itself`() async throws {
        try await Self.withFeeds(Self.list()) { port in
            let client = try await StreamClient.connect(port: port)
            for (fields, status) in [(Self.bearer(Self.all), 200), ([], 401), (Self.bearer(Self.some), 200)] {
                #expect(try await client.ask("/feeds", fields: fields).head.status == status)
            }
        }
    }

    @Test func `a page of another origin can read why it is refused`() async throws {
        let policy = CORSPolicy(allowedOrigins: ["https://app.example"])
        try await Self.withFeeds(Self.list(), cors: policy) { port in
            for (token, status) in [("x", 401), (Self.some, 403)] {
                let fields = Self.bearer(token) + ["Origin: https://app.example"]
                let (head, _) = try await StreamClient.ask(port: port, "/feeds/users", fields: fields)
                #expect(head.status == status)
                #expect(head.fields["access-control-allow-origin"] == "https://app.example")
                #expect(head.fields["access-control-expose-headers"] == "Retry-After, WWW-Authenticate")
            }
            let asked = [
                "Origin: https://app.example", "Access-Control-Request-Method: GET",
                "Access-Control-Request-Headers: authorization",
            ]
            let (head, _) = try await StreamClient.ask(port: port, Self.once, method: "OPTIONS", fields: asked)
            #expect(head.status == 204)
            #expect(head.fields["access-control-allow-headers"] == "Last-Event-ID, Authorization, Cache-Control")
        }
    }

    @Test func `no dump shows a token`() {
        var dumped = ""
        dump(Self.list(), to: &dumped)
        let token = AccessToken(Self.some, feeds: ["b", "a"])
        dump(token, to: &dumped)
        let texts = [dumped, "\(Self.list())", String(reflecting: Self.list()), "\(token)", String(reflecting: token)]
        for text in texts {
            #expect(!text.contains("0123456789") && !text.contains("97, 108, 108"), "\(text)")
        }
        #expect("\(token)" == "a token of a, b")
    }
}
