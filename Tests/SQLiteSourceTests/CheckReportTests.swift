// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import Testing

@testable import SQLiteSource

/// How a report is written, for people and for machines.
@Suite struct CheckReportTests {
    private static let file = Finding(.verified, "journal", "WAL")
    private static let report = CheckReport(
        config: "/etc/rowtail/rowtail.yaml",
        user: "rowtail",
        notices: ["feeds.orders.settle means nothing in mode 'append'; remove it or change the mode"],
        feeds: [
            FeedReport(
                feed: "orders",
                database: "/srv/app.db",
                table: "orders",
                mode: .append,
                fileFindings: [file],
                tableFindings: [
                    Finding(.verified, "ids", "AUTOINCREMENT"),
                    Finding(
                        .warning,
                        "index",
                        "no index serves the pages, so each takes as long as the whole table (EXPLAIN QUERY PLAN: SCAN orders)",
                        remedy: "create one",
                        sql: #"CREATE INDEX "orders_updated_at" ON "orders" ("updated_at", "id");"#
                    ),
                ]
            ),
            FeedReport(
                feed: "logs",
                database: "/srv/logs.db",
                table: "lines",
                mode: .updated,
                fileFindings: [Finding(.refused, "access", "permission denied", remedy: "let it read")],
                tableFindings: []
            ),
            FeedReport(
                feed: "users",
                database: "/srv/app.db",
                table: "users",
                mode: .log,
                fileFindings: [file],
                tableFindings: [Finding(.waiting, "table", "no table yet")]
            ),
        ]
    )

    @Test func `people get a block for each database and feed`() {
        #expect(
            Self.report.text == """
                /etc/rowtail/rowtail.yaml, examined as user rowtail

                  warning   configuration  feeds.orders.settle means nothing in mode 'append'; remove it or change
                                           the mode

                database  /srv/app.db: fine
                  ok        journal  WAL

                orders  append  /srv/app.db  table orders: 1 warning
                  ok        ids    AUTOINCREMENT
                  warning   index  no index serves the pages, so each takes as long as the whole table (EXPLAIN
                                   QUERY PLAN: SCAN orders)
                                   remedy: create one
                                   CREATE INDEX "orders_updated_at" ON "orders" ("updated_at", "id");

                users  log  /srv/app.db  table users: waiting
                  waiting   table  no table yet

                database  /srv/logs.db: refused
                  refused   access  permission denied
                                    remedy: let it read

                logs  updated  /srv/logs.db  table lines: refused

                3 feeds: 1 with warnings, 1 waiting, 1 refused

                """
        )
    }

    @Test func `machines get one object, with everything that concerns a feed in the feed`() throws {
        #expect(
            try Self.report.json == """
                {
                  "config" : "/etc/rowtail/rowtail.yaml",
                  "feeds" : [
                    {
                      "database" : "/srv/app.db",
                      "findings" : [
                        {
                          "level" : "verified",
                          "message" : "WAL",
                          "topic" : "journal"
                        },
                        {
                          "level" : "verified",
                          "message" : "AUTOINCREMENT",
                          "topic" : "ids"
                        },
                        {
                          "level" : "warning",
                          "message" : "no index serves the pages, so each takes as long as the whole table (EXPLAIN QUERY PLAN: SCAN orders)",
                          "remedy" : "create one",
                          "sql" : "CREATE INDEX \\"orders_updated_at\\" ON \\"orders\\" (\\"updated_at\\", \\"id\\");",
                          "topic" : "index"
                        }
                      ],
                      "mode" : "append",
                      "name" : "orders",
                      "table" : "orders",
                      "verdict" : "warnings"
                    },
                    {
                      "database" : "/srv/logs.db",
                      "findings" : [
                        {
                          "level" : "refused",
                          "message" : "permission denied",
                          "remedy" : "let it read",
                          "topic" : "access"
                        }
                      ],
                      "mode" : "updated",
                      "name" : "logs",
                      "table" : "lines",
                      "verdict" : "refused"
                    },
                    {
                      "database" : "/srv/app.db",
                      "findings" : [
                        {
                          "level" : "verified",
                          "message" : "WAL",
                          "topic" : "journal"
                        },
                        {
                          "level" : "waiting",
                          "message" : "no table yet",
                          "topic" : "table"
                        }
                      ],
                      "mode" : "log",
                      "name" : "users",
                      "table" : "users",
                      "verdict" : "waiting"
                    }
                  ],
                  "user" : "rowtail",
                  "verdict" : "refused",
                  "warnings" : [
                    "feeds.orders.settle means nothing in mode 'append'; remove it or change the mode"
                  ]
                }

                """
        )
    }

    @Test(
        arguments: [
            ([], .fine), ([.verified, .advice], .fine), ([.warning, .advice], .warnings),
            ([.waiting, .warning], .waiting), ([.refused, .waiting], .refused),
        ] as [([Finding.Level], FeedReport.Verdict)]
    )
    func `the worst finding decides`(levels: [Finding.Level], verdict: FeedReport.Verdict) {
        #expect(FeedReport.Verdict(levels.map { Finding($0, "topic", "message") }) == verdict)
    }
}
