// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

/// Tokens that come in a cookie.
@Suite(.timeLimit(.minutes(1)))
struct CookieTests {
    private static let token = "all-0123456789abcdef"
    private static let some = "some-0123456789abcdef"
    private static let access = AccessList(
        [AccessToken(token), AccessToken(some, feeds: ["orders"]), AccessToken("a=b==")],
        allowsQueryToken: true,
        cookie: "rowtail"
    )
    private static let path = "/feeds/orders?since=1&limit=1"

    /// Fields of a request, and what it must be answered.
    struct Case: Sendable, CustomTestStringConvertible {
        var fields: [String]
        var status: Int
        var path = CookieTests.path

        var testDescription: String { "\(path) \(fields)" }
    }

    private static let cases: [Case] = [
        Case(fields: ["Cookie: rowtail=\(token)"], status: 200),
        Case(fields: ["Cookie: a=1; rowtail=\(token); b=2"], status: 200),
        Case(fields: ["Cookie: a=1;rowtail=\(token);"], status: 200),
        Case(fields: ["Cookie: \t rowtail =\t\(token) "], status: 200),
        Case(fields: ["Cookie: rowtail=\"\(token)\""], status: 200),
        Case(fields: ["Cookie: rowtail=a=b=="], status: 200),
        Case(fields: ["Cookie: a=1", "cookie: rowtail=\(token)", "Cookie: b=2; ; c"], status: 200),
        // Another name, and what is none.
        Case(fields: ["Cookie: Rowtail=\(token)"], status: 401),
        Case(fields: ["Cookie: rowtail2=\(token)"], status: 401),
        Case(fields: ["Cookie: \(token)"], status: 401), Case(fields: ["Cookie: =\(token)"], status: 401),
        Case(fields: ["Cookie: rowtail"], status: 401), Case(fields: ["Cookie: rowtail="], status: 401),
        Case(fields: ["Cookie: rowtail=\"\""], status: 401),
        Case(fields: ["Cookie: a=\"; rowtail=\(token)\""], status: 401),
        Case(fields: ["Cookie: a=rowtail=\(token)"], status: 401),
        Case(fields: ["Cookie: ;\u{301}rowtail=\(token)"], status: 401),
        // Values that are wrong in some way.
        Case(fields: ["Cookie: rowtail=\(token)x"], status: 401),
        Case(fields: ["Cookie: rowtail=\"\(token)"], status: 401),
        Case(fields: ["Cookie: rowtail=\"\"\(token)\"\""], status: 401),
        Case(fields: ["Cookie: rowtail=\(token), a=1"], status: 401),
        Case(fields: ["Cookie: rowtail=all%2D0123456789abcdef"], status: 401),
        Case(fields: ["Cookie: rowtail=Bearer \(token)"], status: 401),
        // Which of two?
        Case(fields: ["Cookie: rowtail=\(token); rowtail=\(token)"], status: 400),
        Case(fields: ["Cookie: rowtail=x; rowtail=\(token)"], status: 400),
        Case(fields: ["Cookie: rowtail=\(token)", "Cookie: rowtail="], status: 400),
        // What is said expressly counts, right or wrong.
        Case(fields: ["Cookie: rowtail=\(token)", "Authorization: Bearer x"], status: 401),
        Case(fields: ["Cookie: rowtail=\(token)", "Authorization: Bearer"], status: 401),
        Case(fields: ["Cookie: rowtail=\(token)", "Authorization: Basic eDp5"], status: 401),
        Case(fields: ["Cookie: rowtail=\(token)"], status: 401, path: "\(path)&access_token=x"),
        Case(fields: ["Cookie: rowtail=x", "Authorization: Bearer \(token)"], status: 200),
        Case(fields: ["Cookie: rowtail=x; rowtail=y", "Authorization: Bearer \(token)"], status: 200),
        Case(fields: ["Cookie: rowtail=x"], status: 200, path: "\(path)&access_token=\(token)"),
        Case(fields: ["Cookie: rowtail=\(token)", "Authorization: Bearer \(some)"], status: 403, path: "/feeds/users"),
        Case(fields: ["Cookie: rowtail=\(some)"], status: 403, path: "/feeds/users"),
        Case(fields: ["Cookie: rowtail=\(token)"], status: 200, path: "/feeds"),
    ]

    @Test(arguments: cases)
    func `a token may come in the cookie, unless another is said expressly`(testCase: Case) async throws {
        try await AuthTests.withFeeds(Self.access) { port in
            let (head, body) = try await StreamClient.ask(port: port, testCase.path, fields: testCase.fields)
            #expect(head.status == testCase.status, "\(body)")
            #expect((head.fields["www-authenticate"] != nil) == [401, 403].contains(testCase.status))
            #expect(!body.contains("0123456789") || head.status == 200, "\(body)")
        }
    }

    @Test func `without the setting cookies are of no interest, and strangers are told what counts`() async throws {
        let fields = ["Cookie: rowtail=\(Self.token)"]
        for (access, way) in [
            (Self.access, "or access_token or the cookie 'rowtail'"),
            (AccessList([AccessToken(Self.token)], cookie: "other"), "TOKEN' or the cookie 'other'"),
            (AccessList([AccessToken(Self.token)]), "send 'Authorization: Bearer TOKEN'\""),
        ] {
            try await AuthTests.withFeeds(access) { port in
                let (head, body) = try await StreamClient.ask(port: port, Self.path, fields: ["Cookie: a=1"])
                #expect(head.status == 401 && body.contains(way), "\(body)")
                let status = try await StreamClient.ask(port: port, Self.path, fields: fields).head.status
                #expect(status == (access.cookie == "rowtail" ? 200 : 401))
            }
        }
        try await AuthTests.withFeeds(nil) { port in
            let fields = ["Cookie: rowtail=x; rowtail=y"]
            let (head, _) = try await StreamClient.ask(port: port, Self.path, fields: fields)
            #expect(head.status == 200)
        }
    }

    @Test func `only origins that are named may read what a cookie opens`() async throws {
        let policy = CORSPolicy(allowedOrigins: ["https://app.example"], allowsCredentials: true)
        try await AuthTests.withFeeds(Self.access, cors: policy) { port in
            for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false), ("null", false)] {
                let fields = ["Cookie: rowtail=\(Self.token)", "Origin: \(origin)"]
                let (head, _) = try await StreamClient.ask(port: port, Self.path, fields: fields)
                #expect(head.fields["access-control-allow-origin"] == (allowed ? origin : nil))
                #expect(head.fields["access-control-allow-credentials"] == (allowed ? "true" : nil))
                #expect(head.fields["vary"] == "Origin")
            }
        }
    }

    @Test func `by HTTP/2 each cookie may come in a field of its own`() async throws {
        let table = HandFedTable(rows: 3)
        try await withTLSServer(feeds: [table.feed], options: .with { $0.access = Self.access }) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls)
            for (values, status) in [
                (["a=1", "rowtail=\(Self.token)", "b=2"], 200), (["rowtail=x", "rowtail=\(Self.token)"], 400),
                (["a=1", "b=2"], 401),
            ] {
                let fields = values.map { ("cookie", $0) }
                let (head, _) = try await client.ask(Self.path, fields: fields)
                #expect(head.status == status)
            }
        }
    }
}
