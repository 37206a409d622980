// SPDX-License-Identifier: Apache-2.0

/// Judges an answer's status, and what to do where it is no stream.
struct StatusJudge {
    private let exchange: Exchange
    private let proxies: [ProxyKind]

    init(_ exchange: Exchange, _ proxies: [ProxyKind]) {
        self.exchange = exchange
        self.proxies = proxies
    }

    /// A line on the status.
    var finding: ProbeFinding {
        guard let head = exchange.head else { return ProbeFinding(.fail, "status", "no answer") }
        if head.isStream { return ProbeFinding(.ok, "status", "200 \(head["content-type"] ?? "")") }
        let (message, remedies) = fault(head)
        return ProbeFinding(head.status == 204 ? .warning : .fail, "status", "\(message)\(said)", remedies)
    }

    private func fault(_ head: Exchange.Head) -> (message: String, remedies: [String]) {
        switch head.status {
        case 200:
            let type = head["content-type"] ?? "nothing"
            return (
                "200, but '\(type)' is no text/event-stream: another page is there",
                ["ask for a feed: /feeds/NAME, with the prefix that the proxy has for rowtail"]
            )
        case 204:
            return (
                "204, which tells browsers to stay away: the feed is retired, or 'until=head' has nothing new",
                ["leave 'until' out, or see 'retired' in rowtail's configuration"]
            )
        case 300..<400:
            let place = head["location"].map { " to \($0)" } ?? ""
            return (
                "\(head.status), elsewhere\(place): not followed, as each reconnect of a client would go that way",
                head["location"].map { ["ask \($0)"] } ?? ["ask where it leads to"]
            )
        case 400: return ("400, a request that rowtail doesn't take", ["see what it says, and the URL's parameters"])
        case 401:
            return (
                "401, a token is needed, or this one is none", ["--token TOKEN, or ROWTAIL_TOKEN in the environment"]
            )
        case 403: return ("403, the token is not for this feed", ["name the feed in auth.tokens_file after the token"])
        case 404:
            return (
                "404, there is no such feed, or the proxy passes the path on otherwise",
                ["see 'curl URL/feeds' for the names, and what the proxy does with the path's prefix"]
            )
        case 410: return ("410, the id can't be continued and 'on_reset' is 'fail'", ["leave 'on_reset=fail' out"])
        case 429:
            return (
                "429, too many streams from one address; behind a proxy all clients have the proxy's",
                ["rowtail: limits.streams_per_address: 0"]
            )
        case 502, 504: return ("\(head.status), the proxy can't reach rowtail", Trouble.unreachable.remedies(proxies))
        case 503:
            return (
                "503, too many streams, or rowtail stops, or the proxy can't reach it",
                Trouble.unreachable.remedies(proxies) + ["rowtail: see /readyz and limits.streams"]
            )
        default: return ("\(head.status), which is no stream", ["see the logs of the proxy and of rowtail"])
        }
    }

    /// What the body says, where it is an error of rowtail's.
    private var said: String {
        let body = exchange.body
        guard let range = body.firstRange(of: "\"message\":\"") else { return "" }
        let text = body[range.upperBound...].prefix { $0 != "\"" }
        return text.isEmpty ? "" : "; it says: \(text)"
    }
}
