// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The URL that is asked.
package struct ProbeTarget: Sendable, CustomStringConvertible {
    /// Whether TLS is spoken.
    package var isSecure: Bool

    /// The host's name or address, without the brackets of an IPv6 address.
    package var host: String

    /// The port.
    package var port: Int

    /// The path, percent-encoded as it was given.
    package var path: String

    /// The query's parameters, percent-encoded as they were given: `since=-5`.
    package var parameters: [String]

    private static let secret = "access_token"

    /// Takes a URL apart.
    ///
    /// - Throws: ``ProbeError`` for what is no `http` or `https` URL, or holds a user and password, which no browser sends
    ///   for a stream.
    package init(_ text: String) throws(ProbeError) {
        let found = text.contains("://") ? text : "http://\(text)"
        guard let parts = URLComponents(string: found), let host = parts.host, !host.isEmpty,
            ["http", "https"].contains(parts.scheme?.lowercased())
        else {
            throw ProbeError(
                code: .url,
                message: "'\(text)' is no URL that can be asked",
                remedy: "write http://HOST:PORT/feeds/NAME or https://…"
            )
        }
        guard parts.user == nil, parts.password == nil else {
            throw ProbeError(
                code: .url,
                message: "a user and password stand in the URL",
                remedy: "leave them out; --token sends 'Authorization: Bearer'"
            )
        }
        isSecure = parts.scheme?.lowercased() == "https"
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? (isSecure ? 443 : 80)
        guard (1...65_535).contains(port) else {
            throw ProbeError(code: .url, message: "there is no port \(port)", remedy: "use 1 to 65535")
        }
        path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        parameters = parts.percentEncodedQuery?.split(separator: "&").map(String.init) ?? []
    }

    /// `http` or `https`.
    var scheme: String { isSecure ? "https" : "http" }

    /// The host, and the port unless it is the scheme's own (RFC 9110, section 7.2).
    var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The path and query of a request.
    var requestTarget: String {
        parameters.isEmpty ? path : "\(path)?\(parameters.joined(separator: "&"))"
    }

    /// The same URL with other parameters in place of those that say where a stream starts and ends.
    func starting(_ others: [String]) -> ProbeTarget {
        let own: Set = ["since", "last_event_id", "lastEventId", "limit", "until"]
        var target = self
        target.parameters = parameters.filter { !own.contains(Self.name($0)) } + others
        return target
    }

    /// The URL, with the value of `access_token` taken out.
    package var description: String {
        var target = self
        target.parameters = parameters.map { Self.name($0) == Self.secret ? "\(Self.secret)=…" : $0 }
        return "\(scheme)://\(authority)\(target.requestTarget)"
    }

    private static func name(_ parameter: String) -> String {
        let name = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)[0]
        return name.removingPercentEncoding ?? String(name)
    }
}
