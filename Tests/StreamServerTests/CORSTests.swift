// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct CORSTests {
    private func fields(
        _ policy: CORSPolicy,
        _ path: String = "/feeds/orders?since=1&limit=1",
        method: String = "GET",
        origin: String? = "https://app.example"
    ) async throws -> [String: String] {
        let table = HandFedTable(rows: 3)
        return try await withServer(feeds: [table.feed], options: .with { $0.cors = policy }) { _, port in
            let client = try await StreamClient.connect(port: port)
            let preflight = ["Access-Control-Request-Method: GET", "Access-Control-Request-Headers: last-event-id"]
            let sent = (origin.map { ["Origin: \($0)"] } ?? []) + (method == "OPTIONS" ? preflight : [])
            try await client.request(method, path, fields: sent)
            return try await client.head().fields.filter {
                $0.key.hasPrefix("access-control-") || $0.key == "vary"
            }
        }
    }

    @Test func `without a policy no page of another origin may read`() async throws {
        #expect(try await fields(CORSPolicy()) == [:])
        #expect(try await fields(CORSPolicy(), method: "OPTIONS") == [:])
    }

    @Test(arguments: [
        "/feeds/orders?since=1&limit=1", "/feeds", "/feeds/nothing", "/feeds/orders?x=1", "/feeds/orders?until=head",
    ])
    func `an allowed origin may read every answer, streams and errors too`(_ path: String) async throws {
        let policy = CORSPolicy(allowedOrigins: ["https://other.example", "https://app.example"])
        let expected = [
            "access-control-allow-origin": "https://app.example",
            "access-control-expose-headers": "Retry-After, WWW-Authenticate",
            "vary": "Origin",
        ]
        #expect(try await fields(policy, path) == expected)
    }

    @Test func `another origin and none may not, and caches keep them apart`() async throws {
        let policy = CORSPolicy(allowedOrigins: ["https://app.example"])
        #expect(try await fields(policy, origin: "https://app.example.org") == ["vary": "Origin"])
        #expect(try await fields(policy, origin: "null") == ["vary": "Origin"])
        #expect(try await fields(policy, origin: nil) == ["vary": "Origin"])
        #expect(try await fields(policy, method: "OPTIONS", origin: "https://evil.example") == ["vary": "Origin"])
    }

    @Test func `a star allows all origins alike`() async throws {
        let policy = CORSPolicy(allowedOrigins: ["*"])
        let expected = [
            "access-control-allow-origin": "*", "access-control-expose-headers": "Retry-After, WWW-Authenticate",
        ]
        #expect(try await fields(policy) == expected)
    }

    @Test func `credentials are allowed where configured`() async throws {
        let policy = CORSPolicy(allowedOrigins: ["https://app.example"], allowsCredentials: true)
        let expected = [
            "access-control-allow-origin": "https://app.example",
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "Retry-After, WWW-Authenticate",
            "vary": "Origin",
        ]
        #expect(try await fields(policy) == expected)
        #expect(try await fields(policy, origin: "https://evil.example") == ["vary": "Origin"])
    }

    @Test func `a preflight is told the methods and fields`() async throws {
        let policy = CORSPolicy(allowedOrigins: ["https://app.example"], allowsCredentials: true)
        let expected = [
            "access-control-allow-origin": "https://app.example",
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "GET, HEAD, OPTIONS",
            "access-control-allow-headers": "Last-Event-ID, Authorization, Cache-Control",
            "access-control-max-age": "600",
            "vary": "Origin",
        ]
        #expect(try await fields(policy, method: "OPTIONS") == expected)
    }
}
