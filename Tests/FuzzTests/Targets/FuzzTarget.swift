// SPDX-License-Identifier: Apache-2.0

/// A parser of ours that reads what others wrote, and what must hold of it whatever that is.
enum FuzzTarget: String, CaseIterable, Sendable {
    /// The ids and keys that clients send back.
    case ids
    /// What follows `?` in a request for a stream.
    case queries
    /// The bytes of an HTTP/1 connection.
    case requests
    /// The values of a column that tells when a row was written.
    case times
    /// The images of rows that the triggers of capturing log.
    case images
    /// The configuration file.
    case configuration
    /// The file of tokens.
    case tokens

    /// Makes what is fed with inputs, on the thread that feeds it.
    ///
    /// - Returns: A function that says what is wrong with what the parser made of an input; `nil` when nothing is.
    func makeCheck() -> (_ input: [UInt8]) -> String? {
        switch self {
        case .ids: IdentifierCheck.fault
        case .queries: QueryCheck.fault
        case .requests: RequestCheck().fault
        case .times: TimeCheck.fault
        case .images: ImageCheck.fault
        case .configuration: ConfigurationCheck.fault
        case .tokens: TokensCheck.fault
        }
    }

    /// Pieces of the parser's language, which chance alone would hardly find.
    var words: [String] {
        switch self {
        case .ids:
            [
                "earliest", "@", "~", "%", "%2", "x'", "'", "-", "inf", "e", "9223372036854775807", "\n", "%7E",
                "\u{661}",
            ]
        case .queries:
            [
                "last_event_id=", "lastEventId=", "since=", "limit=", "until=head", "on_reset=fail", "&", "=", "%25",
                "+",
                "earliest", "latest", "-5", "2026-01-31T09:00:00Z", "+01:00", "\n", "1042@1", "1~2", "access_token=",
            ]
        case .requests:
            [
                "GET ", "HEAD ", "OPTIONS ", "POST ", "PRI ", "CONNECT ", " HTTP/1.1\r\n", " HTTP/1.0\r\n",
                " HTTP/2.0\r\n",
                "Host: a\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n",
                "Connection: keep-alive\r\n", "Upgrade: h2c\r\n", "Expect: 100-continue\r\n", "Last-Event-ID: 2\r\n",
                "Transfer-Encoding: identity\r\n", "Content-Length : 5\r\n", " folded\r\n", "\r\n", "\n", "\r", "\0",
                ":",
                "/healthz", "/feeds", "/feeds/orders", "/metrics", "http://a/", "*", "?", "5\r\nhello\r\n0\r\n\r\n",
                "ffffffffffffffff\r\n", "\u{e9}", "\t", "Origin: https://a\r\n",
            ]
        case .times:
            [
                "2026-01-31", "T", " ", "09:00", ":00", ".5", "Z", "z", "+02:00", "-0530", " UTC", "0000-01-01",
                "23:59:60",
            ]
        case .images:
            [
                "NULL", "'", "''", "X'00'", "T'6100'", ",", "O12", "-9.0e+999", "Inf", "-Inf", "&", "&N", "1.5&1.5",
                "0x1",
            ]
        case .tokens:
            ["#", " #", " ", "\t", "\r\n", "\n", "orders", " users", "c0ffee00c0ffee00", "\u{FEFF}", "\u{e9}", "\0"]
        case .configuration:
            [
                "feeds:", "feeds: {orders: }\n", "database: /a.db\n", "listen: ", "poll_interval: ",
                "  mode: updated\n",
                "${NAME}", "$${", "${", "<<: ", "&a ", "*a", "!!binary ", "[", "]", "{", "}", "- ", "|\n", "'", "\"",
                "#", "---\n",
                "\u{85}", "\u{2028}", "\t", "  ", "\n", ": ", "key: [a, a]\n", "\u{F8FF}", "1s", "8MiB", "0", "-1", "~",
                "null",
            ]
        }
    }
}

extension String {
    /// The text with everything that isn't printable ASCII escaped, for messages.
    init(escaping bytes: some Sequence<UInt8>) {
        self = bytes.map { Unicode.Scalar($0).escaped(asASCII: true) }.joined()
    }
}
