// SPDX-License-Identifier: Apache-2.0

import RowtailConfig
import RowtailCore
import Testing

/// A text and what it must mean.
struct ValidCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let environment: [String: String]
    let overrides: ConfigOverrides

    /// Turns the defaults with the feed `orders` of `/data/app.db` into the expected result.
    let change: @Sendable (inout RowtailConfig) -> Void

    init(
        _ testDescription: String,
        _ text: String,
        environment: [String: String] = [:],
        overrides: ConfigOverrides = ConfigOverrides(),
        _ change: @escaping @Sendable (inout RowtailConfig) -> Void = { _ in }
    ) {
        self.testDescription = testDescription
        self.text = text
        self.environment = environment
        self.overrides = overrides
        self.change = change
    }
}

/// Every case is the text with this before it, read as `/etc/rowtail/rowtail.yaml`.
private let base = "database: /data/app.db\nfeeds: {orders: }\n"

@Suite struct ValidConfigTests {
    private static func check(_ testCase: ValidCase, before: String) throws {
        var expected = RowtailConfig()
        expected.database = "/data/app.db"
        expected.feeds = [RowtailConfig.Feed(name: "orders", database: "/data/app.db")]
        testCase.change(&expected)
        let config = try RowtailConfig.parse(
            before + testCase.text,
            file: "/etc/rowtail/rowtail.yaml",
            environment: testCase.environment,
            overrides: testCase.overrides
        )
        #expect(config == expected)
    }

    @Test(arguments: settings) func `settings are read as they are written`(testCase: ValidCase) throws {
        try Self.check(testCase, before: base)
    }

    @Test(arguments: feeds) func `feeds are read as they are written`(testCase: ValidCase) throws {
        try Self.check(testCase, before: "database: /data/app.db\nfeeds:\n")
    }

    @Test func `the defaults are those of the contract`() {
        let config = RowtailConfig()
        #expect(config.listen == [.tcp(host: "127.0.0.1", port: 8080)])
        #expect(config.pollInterval == .seconds(1) && config.wakeOnWrite && config.statusPage)
        #expect(config.heartbeatInterval == .seconds(15) && config.retry == .seconds(3))
        #expect(config.maxConnectionAge == nil && config.drainTimeout == .seconds(5))
        #expect(config.tailBytes == 8_388_608 && config.pageRows == 1000)
        #expect(config.pageBytes == 262_144 && config.maxEventBytes == 1_048_576)
        #expect(config.limits.streams == 10_000 && config.limits.streamsPerAddress == nil)
        #expect(config.limits.replays == 4 && config.limits.requestHead == 16_384)
        #expect(config.limits.requestTimeout == .seconds(10) && config.limits.writeTimeout == .seconds(60))
        #expect(config.cors.allowedOrigins.isEmpty && !config.cors.allowCredentials)
        #expect(config.auth.tokensFile == nil && !config.auth.allowQueryToken && config.auth.cookie == nil)
        #expect(config.tls == nil)
        #expect("\(config.log.level)" == "info" && config.log.format == .text)
    }

    @Test func `the level of the log comes from the flag, else the environment, else the file`() throws {
        func level(_ overrides: ConfigOverrides, _ environment: [String: String]) throws -> String {
            let text = base + "log: {level: error}"
            let config = try RowtailConfig.parse(text, file: "a", environment: environment, overrides: overrides)
            return "\(config.log.level)"
        }
        #expect(try level(ConfigOverrides(logLevel: "trace"), ["ROWTAIL_LOG_LEVEL": "debug"]) == "trace")
        #expect(try level(ConfigOverrides(), ["ROWTAIL_LOG_LEVEL": "debug"]) == "debug")
        #expect(try level(ConfigOverrides(), [:]) == "error")
    }

    @Test func `a byte order mark before the text is no part of it`() throws {
        let config = try RowtailConfig.parse("\u{FEFF}" + base, file: "a", environment: [:])
        #expect(config.feeds.map(\.name) == ["orders"])
    }

    @Test func `a listen address is written back as it was read`() throws {
        for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/rowtail.sock", "db.example:1", "systemd", "systemd:http"] {
            let config = try RowtailConfig.parse(base + "listen: '\(text)'", file: "a", environment: [:])
            #expect(config.listen.map(\.description) == [text])
        }
    }

    private static let settings: [ValidCase] = [
        ValidCase("nothing but a feed", ""),
        ValidCase("one address", "listen: 0.0.0.0:80") { $0.listen = [.tcp(host: "0.0.0.0", port: 80)] },
        ValidCase("addresses", "listen: ['[::1]:8080', localhost:0, unix:/run/a.sock]") {
            $0.listen = [.tcp(host: "::1", port: 8080), .tcp(host: "localhost", port: 0), .unix(path: "/run/a.sock")]
        },
        ValidCase("sockets of systemd, by name and all", "listen: ['systemd:web 1', 'systemd:8080', unix:/run/a.sock]")
        {
            $0.listen = [.activated(name: "web 1"), .activated(name: "8080"), .unix(path: "/run/a.sock")]
        },
        ValidCase("every socket of systemd", "listen: systemd") { $0.listen = [.activated(name: nil)] },
        ValidCase(
            "tokens",
            "auth: {tokens_file: '${CREDENTIALS_DIRECTORY}/tokens', allow_query_token: true}",
            environment: ["CREDENTIALS_DIRECTORY": "/run/credentials/rowtail.service"]
        ) {
            $0.auth.tokensFile = "/run/credentials/rowtail.service/tokens"
            $0.auth.allowQueryToken = true
        },
        ValidCase("a cookie", "auth: {tokens_file: /tokens, cookie: __Host-row.tail!#$%&*+^`|~'}") {
            $0.auth.tokensFile = "/tokens"
            $0.auth.cookie = "__Host-row.tail!#$%&*+^`|~'"
        },
        ValidCase("tokens beside the file", "auth: {tokens_file: tokens}") {
            $0.auth.tokensFile = "/etc/rowtail/tokens"
        },
        ValidCase("encryption", "tls: {certificate: tls/cert.pem, private_key: /secret/key.pem}") {
            $0.tls = .init(certificate: "/etc/rowtail/tls/cert.pem", privateKey: "/secret/key.pem")
        },
        ValidCase("durations", "poll_interval: 250ms\nretry: 5m\nheartbeat_interval: 1h\ndrain_timeout: 0s") {
            $0.pollInterval = .milliseconds(250)
            $0.retry = .seconds(300)
            $0.heartbeatInterval = .seconds(3600)
            $0.drainTimeout = .zero
        },
        ValidCase("a quoted duration", "poll_interval: '2s'") { $0.pollInterval = .seconds(2) },
        ValidCase("an age", "max_connection_age: 30m") { $0.maxConnectionAge = .seconds(1800) },
        ValidCase("no age, with and without a unit", "max_connection_age: 0s\nlimits: {request_timeout: 0}") {
            $0.limits.requestTimeout = nil
        },
        ValidCase("sizes", "tail_bytes: 1GiB\npage_bytes: 512KiB\nmax_event_bytes: 64B\npage_rows: 5") {
            $0.tailBytes = 1_073_741_824
            $0.pageBytes = 524_288
            $0.maxEventBytes = 64
            $0.pageRows = 5
        },
        ValidCase("no limits", "limits: {streams: 0, streams_per_address: 0, replays: 0, write_timeout: 0}") {
            $0.limits.streams = nil
            $0.limits.replays = nil
            $0.limits.writeTimeout = nil
        },
        ValidCase("other limits", "limits: {streams_per_address: 3, request_head: 1KiB}") {
            $0.limits.streamsPerAddress = 3
            $0.limits.requestHead = 1024
        },
        ValidCase("sections without keys", "limits:\ncors: {}\nauth:\ntls: {}\nlog: ~"),
        ValidCase(
            "origins",
            "cors: {allowed_origins: [https://a.example, 'http://[::1]:3000'], allow_credentials: true}"
        ) {
            $0.cors.allowedOrigins = ["https://a.example", "http://[::1]:3000"]
            $0.cors.allowCredentials = true
        },
        ValidCase("every origin", "cors: {allowed_origins: ['*']}") { $0.cors.allowedOrigins = ["*"] },
        ValidCase("the log's format", "log: {format: json}") { $0.log.format = .json },
        ValidCase("a relative directory", "state_directory: ./state/../x") {
            $0.stateDirectory = "/etc/rowtail/state/../x"
        },
        ValidCase("systemd's directory", "", environment: ["STATE_DIRECTORY": "/var/lib/rowtail:/var/lib/b"]) {
            $0.stateDirectory = "/var/lib/rowtail"
        },
        ValidCase("a directory beats systemd's", "state_directory: /s", environment: ["STATE_DIRECTORY": "/b"]) {
            $0.stateDirectory = "/s"
        },
        ValidCase(
            "variables in values that are no text",
            "poll_interval: ${POLL}\nwake_on_write: ${WAKE}\npage_rows: ${ROWS}0\nlisten: ${HOST}:${PORT}",
            environment: ["POLL": "2s", "WAKE": "false", "ROWS": "7", "HOST": "[::]", "PORT": "1"]
        ) {
            $0.pollInterval = .seconds(2)
            $0.wakeOnWrite = false
            $0.pageRows = 70
            $0.listen = [.tcp(host: "::", port: 1)]
        },
        ValidCase(
            "dollars that begin no variable",
            "state_directory: /a/$${X}/$B/$",
            environment: ["X": "1", "B": "2"]
        ) {
            $0.stateDirectory = "/a/${X}/$B/$"
        },
        ValidCase("a variable is not expanded again", "state_directory: ${A}", environment: ["A": "/${B}"]) {
            $0.stateDirectory = "/${B}"
        },
        ValidCase(
            "flags beat the environment beats the file",
            "listen: 1.1.1.1:1",
            environment: ["ROWTAIL_LISTEN": "2.2.2.2:2", "ROWTAIL_DATABASE": "/env.db"],
            overrides: ConfigOverrides(listen: ["3.3.3.3:3", "unix:/s"], database: "/flag.db")
        ) {
            $0.listen = [.tcp(host: "3.3.3.3", port: 3), .unix(path: "/s")]
            $0.database = "/flag.db"
            $0.feeds[0].database = "/flag.db"
        },
        ValidCase("an empty variable overrides nothing", "", environment: ["ROWTAIL_LISTEN": ""]),
        ValidCase("Windows line ends", "poll_interval: 2s\r\nretry: 1s\r\n") {
            $0.pollInterval = .seconds(2)
            $0.retry = .seconds(1)
        },
    ]

    private static let feeds: [ValidCase] = [
        ValidCase("a name alone", "  orders:"),
        ValidCase("null", "  orders: null"),
        ValidCase(
            "every key",
            """
              orders:
                database: sub/own.db
                table: Orders 2
                mode: append
                watermark: seq
                columns: [seq, id, Meta]
                where: total > 0 AND note <> '$${x}'
                event: order
                json_columns: [meta]
                int64: string
                start: -25
                on_reset: fail
                retired: true
            """
        ) {
            var feed = RowtailConfig.Feed(name: "orders", database: "/etc/rowtail/sub/own.db")
            feed.table = "Orders 2"
            feed.watermark = "seq"
            feed.columns = ["seq", "id", "Meta"]
            feed.filter = "total > 0 AND note <> '${x}'"
            feed.event = "order"
            feed.jsonColumns = ["meta"]
            feed.int64 = .string
            feed.start = .newest(25)
            feed.onReset = .fail
            feed.retired = true
            $0.feeds = [feed]
        },
        ValidCase(
            "the keys of the other modes",
            """
              orders: {mode: updated, watermark: changed, key: [region, id], settle: 0s}
              users: {mode: updated, watermark: changed, key: id, settle: 1500ms}
              log:
                mode: log
                capture: {retention_age: 720h, retention_rows: 1000000, prune_interval: 10m}
            """
        ) {
            var orders = RowtailConfig.Feed(name: "orders", database: "/data/app.db")
            orders.mode = .updated
            orders.watermark = "changed"
            orders.key = ["region", "id"]
            orders.settle = .zero
            var users = RowtailConfig.Feed(name: "users", database: "/data/app.db")
            users.mode = .updated
            users.watermark = "changed"
            users.key = ["id"]
            users.settle = .milliseconds(1500)
            var log = RowtailConfig.Feed(name: "log", database: "/data/app.db")
            log.mode = .log
            log.capture.retentionAge = .seconds(720 * 3600)
            log.capture.retentionRows = 1_000_000
            log.capture.pruneInterval = .seconds(600)
            $0.feeds = [orders, users, log]
        },
        ValidCase(
            "words that are truth values or numbers elsewhere",
            "  no: {table: on}\n  1.10: {columns: [y, null-ish]}"
        ) {
            $0.feeds = [.init(name: "no", database: "/data/app.db"), .init(name: "1.10", database: "/data/app.db")]
            $0.feeds[0].table = "on"
            $0.feeds[1].columns = ["y", "null-ish"]
        },
        ValidCase("the order of the file", "  b:\n  a:\n  c:") {
            $0.feeds = ["b", "a", "c"].map { .init(name: $0, database: "/data/app.db") }
        },
        ValidCase("an anchor", "  a: &a {table: t, start: earliest}\n  b: *a\n  c: {<<: *a, table: u}") {
            $0.feeds = ["a", "b", "c"].map { name in
                var feed = RowtailConfig.Feed(name: name, database: "/data/app.db")
                feed.table = name == "c" ? "u" : "t"
                feed.start = .earliest
                return feed
            }
        },
        ValidCase("an anchor of a value", "  a: {watermark: &w seq}\n  b: {watermark: *w}") {
            $0.feeds = ["a", "b"].map { .init(name: $0, database: "/data/app.db") }
            $0.feeds[0].watermark = "seq"
            $0.feeds[1].watermark = "seq"
        },
        ValidCase("the name at its longest", "  \(String(repeating: "x", count: 64)):") {
            $0.feeds = [.init(name: String(repeating: "x", count: 64), database: "/data/app.db")]
        },
    ]
}
