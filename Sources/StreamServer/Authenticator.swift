// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes

/// Finds out who asks: reads a request's token, and judges it (RFC 6750).
struct Authenticator {
    /// What is needed to read; `nil` when everybody may.
    let access: AccessList?

    /// Whether a path is one that tokens guard, whether anything is there or not.
    static func guards(_ path: Substring) -> Bool {
        path == "/" || path == "/status" || path == "/feeds" || path.hasPrefix("/feeds/")
    }

    /// Judges a request.
    ///
    /// - Parameters:
    ///   - request: The request, whose `Authorization` is of no interest when everybody may read.
    ///   - query: What follows `?` in its target; the token is taken out of it.
    /// - Returns: The token, `nil` when everybody may read.
    /// - Throws: ``RequestError``, or what is wrong with the query. Neither shows what was presented.
    func authenticate(_ request: HTTPRequest, query: inout Substring) throws -> AccessToken? {
        let queryToken = try StreamQuery.takeAccessToken(from: &query)
        guard let access else {
            if queryToken == nil { return nil }
            throw RequestError(.unknownParameter, "everybody may read here; leave out access_token")
        }
        guard queryToken == nil || access.allowsQueryToken else {
            throw RequestError(
                .unknownParameter,
                "access_token is not taken here; send 'Authorization: Bearer TOKEN', or set auth.allow_query_token"
            )
        }
        let fields = request.headerFields[values: .authorization]
        guard fields.count <= 1 else {
            throw RequestError(.badRequest, "Authorization is given \(fields.count) times; send it once")
        }
        guard fields.isEmpty || queryToken == nil else {
            throw RequestError(.badRequest, "Authorization and access_token are both given; send one of them")
        }
        var presented = try fields.first.map(Self.bearer) ?? queryToken
        // Browsers send cookies by themselves: what a client says expressly counts, right or wrong.
        if presented == nil, let name = access.cookie { presented = try Self.cookie(name, in: request.headerFields) }
        guard let presented else {
            throw Self.unauthorized("a token is needed to read here; send \(Self.ways(access))")
        }
        guard let token = access.token(presented) else {
            throw Self.unauthorized("the token is not known here; ask whoever runs this server", error: "invalid_token")
        }
        return token
    }

    /// How a token may be sent.
    private static func ways(_ access: AccessList) -> String {
        var ways = ["'Authorization: Bearer TOKEN'"]
        if access.allowsQueryToken { ways.append("access_token") }
        if let name = access.cookie { ways.append("the cookie '\(name)'") }
        return ways.joined(separator: " or ")
    }

    /// The token of a field `Bearer TOKEN`.
    private static func bearer(_ field: String) throws -> String {
        let parts = field.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.first?.lowercased() == "bearer" else {
            throw unauthorized("the scheme of Authorization is unknown; send 'Authorization: Bearer TOKEN'")
        }
        let token = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
        guard !token.isEmpty else {
            throw unauthorized("Authorization has no token; send 'Authorization: Bearer TOKEN'")
        }
        return String(token)
    }

    /// What a client is told that has no token, or the wrong one.
    private static func unauthorized(_ message: String, error: String? = nil) -> RequestError {
        RequestError(.unauthorized, message, fields: [.wwwAuthenticate: challenge(error)])
    }

    /// What a client is told whose token doesn't cover a feed, which may not even exist.
    static func forbidden(_ feed: Substring) -> RequestError {
        RequestError(
            .forbidden,
            "the token may not read '\(feed.prefix(200))'; see /feeds for what it may",
            fields: [.wwwAuthenticate: challenge("insufficient_scope")]
        )
    }

    private static func challenge(_ error: String?) -> String {
        "Bearer realm=\"rowtail\"" + (error.map { ", error=\"\($0)\"" } ?? "")
    }
}
