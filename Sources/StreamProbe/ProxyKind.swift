// SPDX-License-Identifier: Apache-2.0

/// What may stand between a client and rowtail, as far as an answer shows it.
package enum ProxyKind: String, CaseIterable, Sendable {
    case nginx = "nginx"
    case caddy = "Caddy"
    case haproxy = "HAProxy"
    case cloudflare = "Cloudflare"

    /// What can be seen of them in an answer, and where; several where one stands behind another.
    package static func seen(in exchange: Exchange?) -> [(kind: ProxyKind, sign: String)] {
        guard let head = exchange?.head else { return [] }
        var found: [(ProxyKind, String)] = []
        for kind in allCases {
            let word = kind.rawValue.lowercased()
            let sign = ["server", "via"].lazy.compactMap { name -> String? in
                guard let value = head[name], value.lowercased().contains(word) else { return nil }
                return "\(name == "via" ? "Via" : "Server"): \(value)"
            }.first
            if let sign {
                found.append((kind, sign))
            } else if kind == .cloudflare, let ray = head["cf-ray"] {
                found.append((kind, "CF-RAY: \(ray)"))
            }
        }
        // HAProxy names itself nowhere; this is the page of its errors.
        if let body = exchange?.body, body.contains("No server is available to handle this request") {
            found.append((.haproxy, "its page for errors"))
        }
        return found
    }
}
