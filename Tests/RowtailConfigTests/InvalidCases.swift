// SPDX-License-Identifier: Apache-2.0

import Testing

/// A text and the messages it must give.
struct InvalidCase: Sendable, CustomTestStringConvertible {
    let text: String
    let messages: [String]

    var testDescription: String { text }

    init(_ text: String, _ messages: String...) {
        self.text = text
        self.messages = messages
    }
}

extension InvalidCase {
    private static let unit = "has no unit; write"
    static let settings: [InvalidCase] = [
        // Keys.
        .init("pol_interval: 1s", "3: pol_interval: unknown key; did you mean 'poll_interval'?"),
        .init("pollInterval: 1s", "3: pollInterval: unknown key; did you mean 'poll_interval'?"),
        .init("log: {colour: 1}", "3: log.colour: unknown key; known here: level, format"),
        .init("retry: 1s\nlisten: 'a:1'\nretry: 2s", "5: retry: given twice, first in line 3; remove one"),
        .init("log:\n  level: info\n  \"level\": info", "5: log.level: given twice, first in line 4; remove one"),
        .init(
            "retry: 1s\r\nretry: 1s\r\nretry: 0s\r\n",
            "4: retry: given twice, first in line 3; remove one",
            "5: retry: given twice, first in line 3; remove one"
        ),
        .init("&a retry: 1s\n&b retry: 1s", "3: given twice: 'retry'; remove the repetition"),
        .init("[a]: 1", "3: a list or mapping cannot be a key; write a name"),
        .init(
            "\"a\\nb\": 1",
            #"3: a\nb: unknown key; known here: listen, database, poll_interval, wake_on_write, "#
                + "state_directory, heartbeat_interval, retry, max_connection_age, drain_timeout, tail_bytes, page_rows, "
                + "page_bytes, max_event_bytes, limits, cors, auth, tls, status_page, log, feeds"
        ),
        // Kinds of values.
        .init("retry:", "3: retry: there is no value; give one or remove the key"),
        .init("retry: [1s]", "3: retry: a list cannot stand here; write a single value"),
        .init("retry: {a: 1s}", "3: retry: keys cannot stand here; write a single value"),
        .init("retry: !!binary aaaa", "3: retry: the tag 'tag:yaml.org,2002:binary' has no meaning here; remove it"),
        .init("limits: 5", "3: limits: '5' cannot stand here; write keys and values, each pair on a line of its own"),
        .init("log: [text]", "3: log: a list cannot stand here; write keys and values, each pair on a line of its own"),
        .init("wake_on_write: yes", "3: wake_on_write: 'yes' is neither true nor false; write one of them"),
        .init("wake_on_write: 'true'", "3: wake_on_write: 'true' is text; remove the quotes"),
        .init("page_rows: many", "3: page_rows: 'many' is not a whole number; write digits alone, such as 100"),
        .init("page_rows: 1.5", "3: page_rows: '1.5' is not a whole number; write digits alone, such as 100"),
        .init("page_rows: '5'", "3: page_rows: '5' is text; remove the quotes"),
        .init("page_rows: 0", "3: page_rows: '0' is too small; use 1 or more"),
        .init(
            "page_rows: 99999999999999999999",
            "3: page_rows: '99999999999999999999' is too large; use 1000000 or less"
        ),
        .init("limits: {streams: -1}", "3: limits.streams: '-1' is too small; use 0 or more"),
        .init("<<: 5", "3: <<: can only take in a mapping; write '<<: *ANCHOR'"),
        // Durations and sizes.
        .init("poll_interval: 0s", "3: poll_interval: '0s' is too short; use 10ms or more"),
        .init("poll_interval: 2h", "3: poll_interval: '2h' is too long; use 1h or less"),
        .init("poll_interval: 5", "3: poll_interval: '5' \(unit) 5ms, 5s, 5m or 5h"),
        .init("poll_interval: 0", "3: poll_interval: '0' \(unit) 0ms, 0s, 0m or 0h"),
        .init(
            "poll_interval: 1.5s",
            "3: poll_interval: '1.5s' is not a duration; write a whole number and a unit "
                + "(ms, s, m or h), such as 250ms"
        ),
        .init(
            "poll_interval: 9223372036854775807h",
            "3: poll_interval: '9223372036854775807h' is too long; use 1h or less"
        ),
        .init("drain_timeout: 11m", "3: drain_timeout: '11m' is too long; use 10m or less"),
        .init("max_connection_age: 999ms", "3: max_connection_age: '999ms' is too short; use 1s or more, or 0 for off"),
        .init("tail_bytes: 1KiB", "3: tail_bytes: '1KiB' is too small; use 64KiB or more"),
        .init("page_bytes: 1GiB", "3: page_bytes: '1GiB' is too large; use 64MiB or less"),
        .init("max_event_bytes: 63B", "3: max_event_bytes: '63B' is too small; use 64B or more"),
        .init("tail_bytes: 8388608", "3: tail_bytes: '8388608' \(unit) 8388608B, 8388608KiB, 8388608MiB or 8388608GiB"),
        .init(
            "tail_bytes: 8MB",
            "3: tail_bytes: '8MB' is not a size; write a whole number and a unit "
                + "(B, KiB, MiB or GiB), such as 8MiB"
        ),
        // Addresses.
        .init(
            "listen: :8080",
            "3: listen: ':8080' has no host; write 127.0.0.1:8080 for this machine alone, "
                + "0.0.0.0:8080 for every network"
        ),
        .init(
            "listen: 8080",
            "3: listen: '8080' has no host; write 127.0.0.1:8080 for this machine alone, "
                + "0.0.0.0:8080 for every network"
        ),
        .init(
            "listen: '*:80'",
            "3: listen: '*:80' has no host; write 127.0.0.1:80 for this machine alone, "
                + "0.0.0.0:80 for every network"
        ),
        .init("listen: localhost", "3: listen: 'localhost' has no port; write localhost:8080"),
        .init("listen: a:65536", "3: listen: 'a:65536' has no valid port; write HOST:PORT with a port from 0 to 65535"),
        .init("listen: '::1:80'", "3: listen: '::1:80' has an IPv6 address without brackets; write [::1]:80"),
        .init("listen: '[x]:80'", "3: listen: '[x]:80' has no IPv6 address in its brackets; write [::1]:80"),
        .init("listen: a b:80", "3: listen: 'a b:80' has no valid host; write HOST:PORT or unix:/PATH"),
        .init("listen: http://a:80", "3: listen: 'http://a:80' is a URL; write HOST:PORT or unix:/PATH"),
        .init("listen: unix:a", "3: listen: 'unix:a' is not an absolute path; write unix:/run/rowtail/rowtail.sock"),
        .init(
            "listen: unix:/\(String(repeating: "a", count: 107))",
            "3: listen: 'unix:/\(String(repeating: "a", count: 94))…' "
                + "is longer than a socket's path may be; use at most 107 bytes"
        ),
        .init(
            "listen: []",
            "3: listen: the list is empty; write at least one address, or remove the key for 127.0.0.1:8080"
        ),
        .init(
            "listen:\n  - a:1\n  - :2\n  - a:1",
            "5: listen: ':2' has no host; write 127.0.0.1:2 for this machine alone, 0.0.0.0:2 for every network",
            "6: listen: 'a:1' is listed twice; remove one"
        ),
        // Paths and variables.
        .init("state_directory: ''", "3: state_directory: the text is empty; give one or remove the key"),
        .init("state_directory: ~/x", "3: state_directory: '~' is not expanded; write ${HOME}/x"),
        .init("state_directory: \"a\\0b\"", #"3: state_directory: 'a\0b' contains a NUL character; remove it"#),
        .init(
            "state_directory: ${A}/${B}",
            "3: state_directory: environment variable 'A' is not set; set it or write the value here",
            "3: state_directory: environment variable 'B' is not set; set it or write the value here"
        ),
        .init("state_directory: ${}", "3: state_directory: '${' begins no ${NAME}; write $${ for a literal '${'"),
        .init("state_directory: /${A", "3: state_directory: '${' begins no ${NAME}; write $${ for a literal '${'"),
        // Sockets of systemd.
        .init(
            "listen: 'systemd:'",
            "3: listen: 'systemd:' has no valid name; write the socket's FileDescriptorName=, or systemd alone"
        ),
        .init(
            "listen: 'systemd:a:80'",
            "3: listen: 'systemd:a:80' has no valid name; write the socket's FileDescriptorName=, or systemd alone"
        ),
        .init(
            "listen: [systemd, 'systemd:http']",
            "3: listen: 'systemd' takes the socket 'http' as well; remove one of the two"
        ),
        // Tokens and encryption.
        .init(
            "auth: {allow_query_token: true}",
            "3: auth.allow_query_token: there are no tokens to give; set tokens_file or set it to false"
        ),
        .init(
            "auth:\n  tokens_file:\n  allow_query_token: yes",
            "4: auth.tokens_file: there is no value; give one or remove the key",
            "5: auth.allow_query_token: 'yes' is neither true nor false; write one of them"
        ),
        .init(
            "auth: {cookie: rowtail}",
            "3: auth.cookie: there are no tokens to give; set tokens_file or remove the key"
        ),
        .init(
            "auth: {tokens_file: a, cookie: 'row tail'}",
            "3: auth.cookie: 'row tail' is no name of a cookie; use letters, digits, '_' and '-', such as rowtail"
        ),
        .init(
            "auth: {tokens_file: a, cookie: a=b}",
            "3: auth.cookie: 'a=b' is no name of a cookie; use letters, digits, '_' and '-', such as rowtail"
        ),
        .init("auth: {tokens_file: a, cookie: ''}", "3: auth.cookie: the text is empty; give one or remove the key"),
        .init("auth: {token_file: a}", "3: auth.token_file: unknown key; did you mean 'tokens_file'?"),
        .init("tls: {certificate: a.pem}", "3: tls.certificate: private_key is missing; set both, or remove it"),
        .init(
            "tls:\n  private_key: a.pem",
            "4: tls.private_key: certificate is missing; set both, or remove it"
        ),
        .init(
            "tls: {certificate: a.pem, private_key: ''}",
            "3: tls.private_key: the text is empty; give one or remove the key"
        ),
        // CORS and log.
        .init("cors: {allowed_origins: '*'}", "3: cors.allowed_origins: '*' is not a list; write ['*']"),
        .init(
            "cors: {allowed_origins: [a.example]}",
            "3: cors.allowed_origins: 'a.example' is not an origin; "
                + "write scheme://host, such as https://app.example.com"
        ),
        .init(
            "cors: {allowed_origins: [https://a.example/]}",
            "3: cors.allowed_origins: 'https://a.example/' has a path, an origin has none; write https://a.example"
        ),
        .init(
            "cors: {allowed_origins: [https://A.example]}",
            "3: cors.allowed_origins: 'https://A.example' would match nothing; write it in lower case, as browsers send it"
        ),
        .init(
            "cors: {allowed_origins: ['https://a:443']}",
            "3: cors.allowed_origins: 'https://a:443' would match nothing, browsers leave out the default port; remove :443"
        ),
        .init(
            "cors: {allowed_origins: ['https://a:b']}",
            "3: cors.allowed_origins: 'https://a:b' has no valid port; use 1 to 65535 or leave it out"
        ),
        .init(
            "cors: {allowed_origins: ['https://u@a']}",
            "3: cors.allowed_origins: 'https://u@a' has no valid host; write scheme://host or scheme://host:port"
        ),
        .init(
            "cors:\n  allowed_origins: ['*']\n  allow_credentials: true",
            "5: cors.allow_credentials: browsers refuse credentials where '*' is allowed; name the origins or set it to false"
        ),
        .init(
            "log: {level: verbose}",
            "3: log.level: 'verbose' is unknown; "
                + "use one of: trace, debug, info, notice, warning, error, critical"
        ),
        .init("log: {format: xml}", "3: log.format: 'xml' is unknown; use one of: text, json"),
    ]

    private static let notInLog =
        "mode 'log' follows what was captured in the order of the commits; remove the key"
    private static let wholeDuration = "write a whole number and a unit (ms, s, m or h), such as 250ms"
    private static let rename = "rename the feed and set its 'table'"
    static let feeds: [InvalidCase] = [
        .init("  a/b:", "3: feeds.a/b: a feed's name has 1 to 64 of A-Z a-z 0-9 . _ -; \(rename)"),
        .init("  '':", "3: feeds.: a feed's name has 1 to 64 of A-Z a-z 0-9 . _ -; \(rename)"),
        .init("  ..:", "3: feeds...: a feed's name cannot be dots alone; \(rename)"),
        .init("  rowtail.x:", "3: feeds.rowtail.x: names that begin with 'rowtail.' are control events; \(rename)"),
        .init("  a:\n  a:", "4: feeds.a: given twice, first in line 3; remove one"),
        .init("  a: 5", "3: feeds.a: '5' cannot stand here; write keys and values, each pair on a line of its own"),
        .init("  a:\n    tabel: x", "4: feeds.a.tabel: unknown key; did you mean 'table'?"),
        .init("  a: {mode: all}", "3: feeds.a.mode: 'all' is unknown; use one of: append, updated, log"),
        .init(
            "  a: {mode: updated}",
            "3: feeds.a.mode: mode 'updated' needs the column that says when a row was written; set watermark to it"
        ),
        .init(
            "  a:\n    mode: log\n    watermark: id\n    where: id > 5",
            "5: feeds.a.watermark: \(notInLog)",
            "6: feeds.a.where: \(notInLog)"
        ),
        .init(
            "  a: {key: []}",
            "3: feeds.a.key: the list is empty; name columns, or remove the key for the primary key"
        ),
        .init("  a: {settle: -1s}", "3: feeds.a.settle: '-1s' is not a duration; \(wholeDuration)"),
        .init("  a: {settle: 2h}", "3: feeds.a.settle: '2h' is too long; use 1h or less"),
        .init(
            "  a: {mode: log, capture: {retention_rows: 0}}",
            "3: feeds.a.capture.retention_rows: '0' is too small; use 1 or more"
        ),
        .init(
            "  a: {mode: log, capture: {prune_interval: 5m}}",
            "3: feeds.a.capture.prune_interval: without a bound nothing is ever deleted; set retention_age or retention_rows"
        ),
        .init(
            "  a: {database: ':memory:'}",
            "3: feeds.a.database: ':memory:' is not a path; name the file that the application writes"
        ),
        .init("  a: {columns: id}", "3: feeds.a.columns: 'id' is not a list; write [id]"),
        .init("  a: {columns: []}", "3: feeds.a.columns: the list is empty; name columns, or remove the key for all"),
        .init("  a: {columns: [id, id]}", "3: feeds.a.columns: 'id' is listed twice; remove one"),
        .init(
            "  a: {columns: [id], json_columns: [b]}",
            "3: feeds.a.json_columns: 'b' is not in columns; add it there or remove it here"
        ),
        .init("  a: {event: ''}", "3: feeds.a.event: the text is empty; give one or remove the key"),
        .init("  a: {event: \"x\\ny\"}", #"3: feeds.a.event: 'x\ny' contains a line break; write one line"#),
        .init(
            "  a: {event: rowtail.end}",
            "3: feeds.a.event: names that begin with 'rowtail.' are control events; choose another"
        ),
        .init("  a: {int64: text}", "3: feeds.a.int64: 'text' is unknown; use one of: number, string"),
        .init(
            "  a: {start: 5}",
            "3: feeds.a.start: '5' is no start; use latest, earliest or, for the newest 10 rows, -10"
        ),
        .init(
            "  a: {start: -0}",
            "3: feeds.a.start: '-0' is no start; use latest, earliest or, for the newest 10 rows, -10"
        ),
        .init(
            "  a: {start: -+5}",
            "3: feeds.a.start: '-+5' is no start; use latest, earliest or, for the newest 10 rows, -10"
        ),
        .init("  a: {on_reset: stop}", "3: feeds.a.on_reset: 'stop' is unknown; use one of: earliest, latest, fail"),
        .init(
            "  a: &a {retired: 1}\n  b: *a",
            "3: feeds.a.retired: '1' is neither true nor false; write one of them",
            "3: feeds.b.retired: '1' is neither true nor false; write one of them"
        ),
    ]

    private static let noFeed = "no feed is configured; add one, such as 'feeds: {orders: {table: orders}}'"
    private static let noDatabase = "no database is given; set it here, or for all feeds as 'database' at the top"
    private static let syntax = "check indentation, colons and quotes there"
    static let files: [InvalidCase] = [
        .init("", " feeds: \(noFeed)"),
        .init("# nothing\n", " feeds: \(noFeed)"),
        .init("\nfeeds:\n", "2: feeds: \(noFeed)"),
        .init(
            "feeds: [a]",
            "1: feeds: a list cannot stand here; write keys and values, each pair on a line of its own"
        ),
        .init("feeds:\n  a:\n  b: {database: b.db}", "2: feeds.a: \(noDatabase)"),
        .init("feeds: {a: }\ndatabase:\n", "2: database: there is no value; give one or remove the key"),
        .init("\n- a", "2: a list cannot stand here; write keys and values, each pair on a line of its own"),
        .init("text", "1: 'text' cannot stand here; write keys and values, each pair on a line of its own"),
        .init(
            "retry: 1s\nlisten: a: b",
            "2: not valid YAML, mapping values are not allowed in this context; \(syntax)"
        ),
        .init(
            "limits: {\n  streams: 1\n",
            "3: not valid YAML, did not find expected ',' or '}' while parsing a flow mapping "
                + "that begins in line 1; \(syntax)"
        ),
        .init(
            "a: 1\n\tb: 2",
            "2: not valid YAML, found a tab character that violates indentation while scanning "
                + "a plain scalar that begins in line 1; \(syntax)"
        ),
        .init("a: *b", "1: not valid YAML, found undefined alias; define the anchor above its use"),
        .init("a: 1\n---\nb: 1", "2: a second YAML document begins; keep one"),
        .init("a: 1\nb: \u{1}", "2: not valid YAML, control characters are not allowed; remove the character"),
    ]
}
