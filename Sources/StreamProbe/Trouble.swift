// SPDX-License-Identifier: Apache-2.0

/// What a proxy can do to a stream, and the setting of each that ends it.
package enum Trouble: Sendable {
    case buffered
    case compressed
    case idleCut
    case oldHTTP
    case noHTTP2
    case lostID
    case unreachable
    case rewritten

    /// What to change in the proxies that were seen; in each one where none was, HAProxy first, as the others name themselves.
    ///
    /// Of Cloudflare, which has no file to change, it says what there is.
    package func remedies(_ seen: [ProxyKind]) -> [String] {
        let kinds = seen.isEmpty ? [.haproxy, .nginx, .caddy] : seen
        return kinds.compactMap { kind in setting(kind).map { "\(kind.rawValue): \($0)" } }
    }

    private func setting(_ kind: ProxyKind) -> String? {
        switch kind {
        case .nginx: nginx
        case .caddy: caddy
        case .haproxy: haproxy
        case .cloudflare: cloudflare
        }
    }

    private var nginx: String {
        switch self {
        case .buffered: "'proxy_buffering off;', and no 'proxy_ignore_headers X-Accel-Buffering'"
        case .compressed: "'gzip off;' in the location, or leave text/event-stream out of 'gzip_types'"
        case .idleCut: "'proxy_read_timeout 1m;', or another time longer than heartbeat_interval"
        case .oldHTTP: "'proxy_http_version 1.1;' and 'proxy_set_header Connection \"\";'"
        case .noHTTP2: "'listen 443 ssl http2;'"
        case .lostID: "no 'proxy_set_header Last-Event-ID' and no 'proxy_pass_request_headers off'"
        case .unreachable: "'proxy_pass' has to name rowtail's address"
        case .rewritten: "no 'proxy_hide_header', 'expires' or 'add_header Cache-Control' in the location"
        }
    }

    private var caddy: String {
        switch self {
        case .buffered: "'flush_interval -1' in reverse_proxy, and no 'buffer_responses'"
        case .compressed: "keep 'encode' off the feeds by a matcher: '@others not path /feeds/*', 'encode @others gzip'"
        case .idleCut: "no 'write' in the server's 'timeouts', no 'read_timeout' in the 'transport http'"
        case .oldHTTP: "no 'versions 1.0' in the 'transport http'"
        case .noHTTP2: "no 'protocols h1' in the server's options; HTTP/2 is on with TLS"
        case .lostID: "no 'header_up -Last-Event-ID'"
        case .unreachable: "'reverse_proxy' has to name rowtail's address"
        case .rewritten: "no 'header' or 'header_down' for Cache-Control or Content-Type"
        }
    }

    private var haproxy: String {
        switch self {
        case .buffered: "'option http-no-delay', and no 'http-response wait-for-body'"
        case .compressed: "no 'compression algo', or leave text/event-stream out of 'compression type'"
        case .idleCut: "'timeout server' and 'timeout client' longer than heartbeat_interval"
        case .oldHTTP: "it speaks HTTP/1.1 by itself; see what stands before and behind it"
        case .noHTTP2: "'alpn h2,http/1.1' on the line 'bind'"
        case .lostID: "no 'http-request del-header Last-Event-ID'"
        case .unreachable: "the line 'server' has to name rowtail's address"
        case .rewritten: "no 'http-response set-header' or 'del-header' for Cache-Control or Content-Type"
        }
    }

    private var cloudflare: String? {
        switch self {
        case .idleCut: "it ends answers on which nothing came for 100 s; a heartbeat_interval below that keeps them"
        case .buffered, .compressed: "turn off what changes answers for this path by a rule, as of compression"
        default: nil
        }
    }
}
