// SPDX-License-Identifier: Apache-2.0

import RowtailConfig
import Testing

@Suite struct InvalidConfigTests {
    static func messages(
        _ text: String,
        environment: [String: String] = [:],
        overrides: ConfigOverrides = ConfigOverrides()
    ) -> [String] {
        let error = #expect(throws: ConfigError.self) {
            try RowtailConfig.parse(text, file: "rowtail.yaml", environment: environment, overrides: overrides)
        }
        return error?.problems.map(\.description) ?? []
    }

    @Test(arguments: InvalidCase.settings) func `a wrong setting is reported with its line and remedy`(
        testCase: InvalidCase
    ) {
        let text = "database: /data/app.db\nfeeds: {orders: }\n" + testCase.text
        #expect(Self.messages(text) == testCase.messages.map { "rowtail.yaml:" + $0 })
    }

    @Test(arguments: InvalidCase.feeds) func `a wrong feed is reported with its line and remedy`(testCase: InvalidCase)
    {
        let text = "database: /data/app.db\nfeeds:\n" + testCase.text
        #expect(Self.messages(text) == testCase.messages.map { "rowtail.yaml:" + $0 })
    }

    @Test(arguments: InvalidCase.files) func `a file that is no configuration is reported`(testCase: InvalidCase) {
        #expect(Self.messages(testCase.text) == testCase.messages.map { "rowtail.yaml:" + $0 })
    }

    @Test func `all problems are reported at once in the order of the lines`() {
        let text = """
            feeds:
              orders:
                start: 7
                tabel: x
              a@b: {database: x.db}
            poll_interval: 0s
            poll_interval: 1s
            log:
              level: ${LEVEL}
            limitz: {}
            """
        let overrides = ConfigOverrides(listen: ["[::1]:1", ":1"], database: "~/a.db")
        let error = #expect(throws: ConfigError.self) {
            let environment = ["ROWTAIL_LOG_LEVEL": "loud", "ROWTAIL_LISTEN": "not read"]
            return try RowtailConfig.parse(text, file: "dir/a.yaml", environment: environment, overrides: overrides)
        }
        let expected = """
            dir/a.yaml:3: feeds.orders.start: '7' is no start; use latest, earliest or, for the newest 10 rows, -10
            dir/a.yaml:4: feeds.orders.tabel: unknown key; did you mean 'table'?
            dir/a.yaml:5: feeds.a@b: a feed's name has 1 to 64 of A-Z a-z 0-9 . _ -; rename the feed and set its 'table'
            dir/a.yaml:6: poll_interval: '0s' is too short; use 10ms or more
            dir/a.yaml:7: poll_interval: given twice, first in line 6; remove one
            dir/a.yaml:9: log.level: environment variable 'LEVEL' is not set; set it or write the value here
            dir/a.yaml:10: limitz: unknown key; did you mean 'limits'?
            --listen: ':1' has no host; write 127.0.0.1:1 for this machine alone, 0.0.0.0:1 for every network
            --database: '~' is not expanded; write ${HOME}/a.db
            ROWTAIL_LOG_LEVEL: 'loud' is unknown; use one of: trace, debug, info, notice, warning, error, critical
            """
        #expect(error?.description == expected)
    }

    @Test func `overrides are checked although the file is no YAML`() {
        let messages = Self.messages("a: [", overrides: ConfigOverrides(logLevel: ""))
        #expect(messages.count == 2)
        #expect(
            messages.last == "--log-level: '' is unknown; "
                + "use one of: trace, debug, info, notice, warning, error, critical"
        )
    }

    @Test func `a variable that is empty counts as no value`() {
        let text = "database: /a.db\nfeeds: {a: }\nretry: ${RETRY}"
        let message = "rowtail.yaml:3: retry: there is no value; give one or remove the key"
        #expect(Self.messages(text, environment: ["RETRY": ""]) == [message])
    }

    @Test func `a variable in quotes stays text`() {
        let text = "database: /a.db\nfeeds: {a: }\npage_rows: \"${ROWS}\""
        let message = "rowtail.yaml:3: page_rows: '5' is text; remove the quotes"
        #expect(Self.messages(text, environment: ["ROWS": "5"]) == [message])
    }

    @Test func `keys given twice through aliases or many times end in an error`() {
        let aliases = "retry: &k a\n*k : 1\n*k : 2"
        #expect(Self.messages(aliases).contains { $0.contains("given twice") })
        let many = String(repeating: "retry: 1s\n", count: 300)
        #expect(Self.messages(many) == ["rowtail.yaml: too many keys are given twice; remove the repetitions"])
    }
}
