// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// What a check says of a table in mode `append`.
@Suite struct CheckTableTests {
    /// A table, how it is watched, and a finding that there must be.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var schema: String
        var watched = WatchedTable(feed: "t", table: "t")
        var level: Finding.Level
        var topic: String
        var sentence: String
        var sql: String?

        init(
            _ testDescription: String,
            _ schema: String,
            watermark: String? = nil,
            _ level: Finding.Level,
            _ topic: String,
            _ sentence: String,
            sql: String? = nil
        ) {
            self.testDescription = testDescription
            self.schema = schema
            watched.watermark = watermark
            self.level = level
            self.topic = topic
            self.sentence = sentence
            self.sql = sql
        }
    }

    static func report(_ database: TemporaryDatabase, _ watched: WatchedTable) -> FeedReport {
        CheckReport(config: "", notices: [], checks: [FeedCheck(watched, path: database.path)]).feeds[0]
    }

    private static let cases = [
        Case(
            "an id that is never given out twice",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
            .verified,
            "ids",
            "AUTOINCREMENT: SQLite gives no id out twice"
        ),
        Case(
            "a search",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
            .verified,
            "index",
            "a page is searched for (EXPLAIN QUERY PLAN: SEARCH main.t USING INTEGER PRIMARY KEY (rowid>? AND rowid<?))"
        ),
        Case(
            "H1: an id that may be given out twice",
            "CREATE TABLE t (id INTEGER PRIMARY KEY)",
            .warning,
            "ids",
            "'id' has no AUTOINCREMENT: SQLite gives the id of a deleted newest row out again, and where both happen between "
                + "two polls, the new row is not sent; declare it 'id INTEGER PRIMARY KEY AUTOINCREMENT' when the table is "
                + "next rebuilt, or never delete the newest row"
        ),
        Case(
            "H3: an id that the application gives out",
            "CREATE TABLE t (k TEXT, n INTEGER NOT NULL UNIQUE)",
            watermark: "n",
            .warning,
            "ids",
            "the application gives 'n' out: a row that gets a lower value than one committed before is not sent; see that it "
                + "only grows, or use an INTEGER PRIMARY KEY AUTOINCREMENT"
        ),
        Case(
            "values that are integers",
            "CREATE TABLE t (n INTEGER NOT NULL UNIQUE); INSERT INTO t VALUES (1), (2), (300)",
            watermark: "n",
            .verified,
            "values",
            "typeof is integer for all 3 rows"
        ),
        Case(
            "H9: a value that is none, at an end",
            "CREATE TABLE t (n INTEGER NOT NULL UNIQUE); INSERT INTO t VALUES (1), ('x')",
            watermark: "n",
            .refused,
            "values",
            "table 't' has a row whose 'n' is 'x', no INTEGER; correct or delete that row",
            sql: #"SELECT * FROM "t" WHERE typeof("n") <> 'integer';"#
        ),
        Case(
            "H9: a value that is none, far from both ends",
            """
            CREATE TABLE t (n INTEGER NOT NULL UNIQUE);
            WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000)
            INSERT INTO t SELECT CASE WHEN n BETWEEN 900 AND 999 THEN n + 0.5 ELSE n END FROM i;
            """,
            watermark: "n",
            .refused,
            "values",
            // The steps between are of 19; the first that ends up there is 1 + 48 * 19.
            "table 't' has a row whose 'n' is '913.5', no INTEGER; correct or delete that row",
            sql: #"SELECT * FROM "t" WHERE typeof("n") <> 'integer';"#
        ),
        Case(
            "H9: a column that may hold a value twice",
            "CREATE TABLE t (n INTEGER NOT NULL)",
            watermark: "n",
            .refused,
            "watermark",
            "column 'n' of table 't' is not UNIQUE, so rows could be missed; use an INTEGER PRIMARY KEY, or set "
                + "feeds.t.watermark to a column that is INTEGER NOT NULL UNIQUE and only grows",
            sql: #"CREATE UNIQUE INDEX "t_n" ON "t" ("n");"#
        ),
        Case(
            "H9: what no index mends",
            "CREATE TABLE t (n TEXT)",
            watermark: "n",
            .refused,
            "watermark",
            "column 'n' of table 't' is not INTEGER, not NOT NULL, not UNIQUE, so rows could be missed; use an INTEGER "
                + "PRIMARY KEY, or set feeds.t.watermark to a column that is INTEGER NOT NULL UNIQUE and only grows"
        ),
        Case(
            "H8: no key",
            "CREATE TABLE t (x)",
            .refused,
            "watermark",
            "table 't' has no INTEGER PRIMARY KEY, and VACUUM renumbers bare rowids; add an 'id INTEGER PRIMARY KEY "
                + "AUTOINCREMENT', or set feeds.t.watermark to a unique integer column that only grows"
        ),
        Case(
            "H44: a view",
            "CREATE VIEW t AS SELECT 1",
            .refused,
            "table",
            "'t' is a view, which has no row order of its own; watch the table under it"
        ),
        Case(
            "H7: no greater id left",
            "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (9223372036854775807)",
            .refused,
            "ids",
            "the greatest id is in use; rows added from now on get lower ids and are not seen; renumber the rows"
        ),
        Case(
            "H6: a sequence that was set back",
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (7);
            UPDATE sqlite_sequence SET seq = 3;
            """,
            .warning,
            "ids",
            "sqlite_sequence says 3, and the newest row is 7: the rows past 3 are not sent; set it to the newest row's id",
            sql: "UPDATE sqlite_sequence SET seq = 7 WHERE name = 't';"
        ),
        Case(
            "a table that isn't there",
            "CREATE TABLE other (x)",
            .waiting,
            "table",
            "database 'PATH' has no table 't' yet; correct feeds.t.table, or check again when the application has made it"
        ),
        Case(
            "rows that replace others",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, mail TEXT UNIQUE ON CONFLICT /* ! */ replace)",
            .warning,
            "replace",
            "the table is declared ON CONFLICT REPLACE: an insert may delete rows, which is not sent, and take the id of a "
                + "row that was sent, and then is not sent itself; use mode 'log', which sends both"
        ),
        Case(
            "rows that may be replaced or updated by an insert",
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, mail UNIQUE); CREATE UNIQUE INDEX u ON t (id, mail)",
            .advice,
            "replace",
            "unique besides 'id': (mail), (id, mail); where the application writes INSERT OR REPLACE, the new row is sent "
                + "and not that the old one went, and where it writes an UPSERT, the changed row is not sent"
        ),
        Case(
            "a trigger of another table that deletes",
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE o (x);
            CREATE TRIGGER sweep AFTER INSERT ON o BEGIN DELETE FROM "T" WHERE id < 10; END;
            """,
            .warning,
            "trigger",
            "trigger 'sweep' on table 'o' deletes rows of the table: one that is gone before it was read is not sent; use "
                + "mode 'log', which sends it and its deletion"
        ),
        Case(
            "a trigger that updates",
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n);
            CREATE TRIGGER count AFTER INSERT ON t BEGIN UPDATE OR IGNORE t SET n = 1; END;
            """,
            .advice,
            "trigger",
            "trigger 'count' updates rows of the table, which mode 'append' doesn't send"
        ),
    ]

    @Test(arguments: cases) func `what is found is told, with the remedy`(testCase: Case) throws {
        let database = try TemporaryDatabase(testCase.schema)
        let report = Self.report(database, testCase.watched)
        let found = report.tableFindings.filter { $0.topic == testCase.topic && $0.level == testCase.level }
        let finding = try #require(found.first, "\(report.tableFindings)")
        #expect(finding.sentence == testCase.sentence.replacing("PATH", with: database.path))
        #expect(finding.sql == testCase.sql)
        if let sql = finding.sql { #expect(throws: Never.self) { try database.execute(sql) } }
    }

    @Test func `the SQL mends what it stands by`() throws {
        let database = try TemporaryDatabase(
            """
            CREATE TABLE "my ""t" (n INTEGER NOT NULL, id INTEGER PRIMARY KEY AUTOINCREMENT);
            INSERT INTO "my ""t" VALUES (1, 1); UPDATE sqlite_sequence SET seq = 0;
            """
        )
        for watermark in ["n", nil] {
            let watched = WatchedTable(feed: "t", table: "my \"t", watermark: watermark)
            let before = Self.report(database, watched).tableFindings
            let sql = before.filter { $0.level >= .warning }.compactMap(\.sql)
            #expect(sql.count == 1, "\(before)")
            try database.execute(sql[0])
            let after = Self.report(database, watched).tableFindings
            #expect(after.allSatisfy { $0.level < .refused && ($0.level < .warning || $0.sql == nil) }, "\(after)")
        }
    }

    @Test(
        arguments: [
            ("id INTEGER PRIMARY KEY AUTOINCREMENT", "'append' fits", nil),
            (
                "id INTEGER PRIMARY KEY, Updated_At INTEGER", "mode 'updated' with watermark: Updated_At would send",
                #"CREATE INDEX "t_Updated_At" ON "t" ("Updated_At", "id");"#
            ),
            ("a TEXT, b TEXT, PRIMARY KEY (a, b)", "mode 'log' could serve this table, as (a, b) tells", nil),
            (
                "a TEXT NOT NULL UNIQUE, mtime REAL",
                "mode 'updated' with watermark: mtime could serve this table, as (a)",
                #"CREATE INDEX "t_mtime" ON "t" ("mtime", "a");"#
            ),
            ("a TEXT UNIQUE", nil, nil),
        ] as [(String, String?, String?)]
    )
    func `the mode that would serve a table best is named`(columns: String, words: String?, sql: String?) throws {
        let database = try TemporaryDatabase("CREATE TABLE t (\(columns))")
        let findings = Self.report(database, WatchedTable(feed: "t", table: "t")).tableFindings
        let advice = findings.first { $0.topic == "mode" }
        #expect((advice?.message.contains(words ?? "") ?? false) == (words != nil), "\(findings)")
        #expect(advice?.sql == sql)
        if let sql { try database.execute(sql) }
    }

    @Test func `columns and filters that don't fit are no reason for another mode`() throws {
        let database = try TemporaryDatabase()
        let bad = [
            WatchedTable(feed: "o", table: "orders", columns: ["custmer"]),
            WatchedTable(feed: "o", table: "orders", filter: "custmer = 1"),
            WatchedTable(feed: "o", table: "orders", filter: "id = ?"),
        ]
        for watched in bad {
            let findings = Self.report(database, watched).tableFindings
            #expect(findings.map(\.topic) == ["query"] && findings[0].level == .refused, "\(findings)")
        }
    }

    @Test func `names in comments, strings and quotes are told apart`() {
        let words = SQLWords(
            """
            CREATE TABLE "a ""b" ( -- ON CONFLICT REPLACE
            x TEXT DEFAULT 'DELETE FROM t', [y z] /* UPDATE t */, `w` "ON" CONFLICT) ; delete from main.[T]
            """
        )
        #expect(!words.contain("ON", "CONFLICT"))
        #expect(words.names(after: "DELETE", "FROM") == ["T"])
        #expect(words.names(after: "TABLE") == ["a \"b"])
        #expect(words.words.filter(\.isQuoted).map(\.text) == ["a \"b", "y z", "w", "ON", "T"])
    }
}
