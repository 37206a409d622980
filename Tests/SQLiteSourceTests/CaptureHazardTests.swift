// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// What a log made by triggers could miss or spoil.
@Suite(.timeLimit(.minutes(1))) struct CaptureHazardTests {
    private static let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, u UNIQUE);"

    @Test func `insert, update and delete are logged with the rows before and after`() throws {
        let file = try CapturedFile(Self.table)
        try file.database.shell("INSERT INTO t VALUES (1, 'x', NULL); UPDATE t SET a = 2.5; DELETE FROM t")
        #expect(
            try file.events() == [
                #"{"op":"insert","key":{"id":1},"before":null,"after":{"id":1,"a":"x","u":null}}"#,
                #"{"op":"update","key":{"id":1},"before":{"id":1,"a":"x","u":null},"after":{"id":1,"a":2.5,"u":null}}"#,
                #"{"op":"delete","key":{"id":1},"before":{"id":1,"a":2.5,"u":null},"after":null}"#,
            ]
        )
        let at = try file.database.shell(
            "SELECT count(*) FROM rowtail_log WHERE abs(julianday(at) - julianday('now')) > 1"
        )
        #expect(at == "0\n")
    }

    @Test(arguments: [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a);", "1", "2", "1"),
        // Equal to SQLite, but another key to whoever reads the events.
        ("CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, a) WITHOUT ROWID;", "'a'", "'A'", #""a""#),
        ("CREATE TABLE t (id PRIMARY KEY, a);", "1", "1.0", "1"),
        ("CREATE TABLE t (id TEXT PRIMARY KEY, a);", "CAST(x'6100' AS TEXT)", "CAST(x'6101' AS TEXT)", #""a\u0000""#),
    ])
    func `H5: an update of the key is a delete and an insert`(
        table: String,
        old: String,
        new: String,
        key: String
    ) throws {
        let file = try CapturedFile(table)
        try file.write("INSERT INTO t VALUES (\(old), 7)")
        let head = try file.head()
        try file.write("UPDATE t SET id = \(new)")
        let events = try file.short(after: head)
        #expect(events.count == 2 && events[0] == "delete \(key)" && events[1].hasPrefix("insert "), "\(events)")
    }

    @Test(arguments: [false, true])
    func `H14: rows that REPLACE deletes are logged once`(recursive: Bool) throws {
        let pragmas = "PRAGMA recursive_triggers = \(recursive ? 1 : 0)"
        let file = try CapturedFile(Self.table)
        func expect(_ sql: String, _ expected: [String]) throws {
            try file.write("DELETE FROM t; INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20)", pragmas: pragmas)
            let head = try file.head()
            try file.write(sql, pragmas: pragmas)
            #expect(try file.short(after: head) == expected, "\(sql)")
        }
        try expect("REPLACE INTO t VALUES (1, 'z', 11)", ["delete 1", "insert 1"])
        try expect("INSERT OR REPLACE INTO t (a, u) VALUES ('z', 10)", ["delete 1", "insert 3"])
        // The order of several is that in which they were found.
        try expect("REPLACE INTO t VALUES (1, 'z', 20)", ["delete 1", "delete 2", "insert 1"])
        try expect(
            "UPDATE OR REPLACE t SET u = 20 WHERE id = 1",
            ["delete 2", #"update 1 -> {"id":1,"a":"x","u":20}"#]
        )
        try expect("UPDATE OR REPLACE t SET id = 2 WHERE id = 1", ["delete 2", "delete 1", "insert 2"])
        try expect("REPLACE INTO t VALUES (5, 'z', 50), (5, 'zz', 51)", ["insert 5", "delete 5", "insert 5"])
    }

    @Test func `H14: ON CONFLICT REPLACE in the table counts as well`() throws {
        let file = try CapturedFile(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE UNIQUE ON CONFLICT REPLACE);"
        )
        try file.write("INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'A')")
        #expect(try file.short() == ["insert 1", "delete 1", "insert 2"])
    }

    @Test func `H14: what replaces nothing logs no delete, now or later`() throws {
        let file = try CapturedFile(Self.table)
        try file.write("INSERT INTO t VALUES (1, 'x', 10)")
        try file.write("INSERT OR IGNORE INTO t VALUES (2, 'y', 10); INSERT INTO t VALUES (3, 'y', 30)")
        try file.write("INSERT INTO t VALUES (4, 'y', 10) ON CONFLICT DO NOTHING")
        #expect(throws: DatabaseError.self) {
            try file.write("INSERT OR FAIL INTO t VALUES (5, 'y', 50), (6, 'y', 10)")
        }
        #expect(throws: DatabaseError.self) { try file.write("UPDATE OR FAIL t SET u = 10 WHERE id = 3") }
        try file.write("UPDATE t SET a = 'z' WHERE id = 3; INSERT INTO t VALUES (7, 'y', 70)")
        #expect(
            try file.short() == [
                "insert 1", "insert 3", "insert 5", #"update 3 -> {"id":3,"a":"z","u":30}"#, "insert 7",
            ]
        )
    }

    @Test func `H14: an index that can't be looked up is warned of`() throws {
        let file = try CapturedFile(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, a, g AS (a + 1) UNIQUE);
            CREATE UNIQUE INDEX some ON t (a) WHERE a > 5; CREATE UNIQUE INDEX lowered ON t (lower(a));
            """
        )
        let warnings = try file.installer.status().warnings
        #expect(warnings.count == 3)
        for name in ["some", "lowered", "sqlite_autoindex_t_1"] {
            #expect(
                warnings.contains { $0.hasPrefix("unique index '\(name)' is ") && $0.contains("recursive_triggers") }
            )
        }
        try file.write(
            "INSERT INTO t (id, a) VALUES (1, 6); REPLACE INTO t (id, a) VALUES (2, 6)",
            pragmas: "PRAGMA recursive_triggers = 1"
        )
        #expect(try file.short() == ["insert 1", "delete 1", "insert 2"])
    }

    @Test func `H15: UPSERT is an update`() throws {
        let file = try CapturedFile(Self.table)
        try file.write("INSERT INTO t VALUES (1, 'x', 10)")
        try file.write("INSERT INTO t VALUES (9, 'new', 10) ON CONFLICT (u) DO UPDATE SET a = excluded.a")
        #expect(try file.short() == ["insert 1", #"update 1 -> {"id":1,"a":"new","u":10}"#])
    }

    @Test(arguments: [
        ("ALTER TABLE t ADD COLUMN more", "doesn't fit its columns any more"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "doesn't fit its columns any more"),
        ("DROP TRIGGER rowtail_1_update", "has lost the trigger 'rowtail_1_update'"),
        (
            "CREATE UNIQUE INDEX x ON t (a)",
            "has the trigger 'rowtail_1_before_insert', which isn't as the table needs it now"
        ),
        (
            "CREATE TABLE n (id INTEGER PRIMARY KEY, a, u UNIQUE); DROP TABLE t; ALTER TABLE n RENAME TO t",
            "has lost its triggers"
        ),
        (
            "CREATE TRIGGER touch AFTER UPDATE ON t BEGIN SELECT 1; END",
            "is older than the trigger 'touch', whose writes would be logged before those that it reacts to"
        ),
    ])
    func `H17: a table that changed is told, and installing again mends it and says so`(
        change: String,
        problem: String
    ) throws {
        let file = try CapturedFile(Self.table)
        #expect(try file.problem() == nil)
        try file.write("INSERT INTO t (id) VALUES (1); \(change)")
        #expect(try file.problem() == "capture on table 't' \(problem); run 'rowtail capture install feed'")
        #expect(try !file.install().wasInstalled)
        try file.write("INSERT OR REPLACE INTO t (id) VALUES (2)")
        #expect(try file.problem() == nil)
        let state = try file.installer.status().state
        #expect(state.current == 2 && state.gaps == [2])
        let events = try file.short()
        #expect(events == ["insert 1", "gap", "insert 2"])
        // Nothing to mend.
        #expect(try file.install().wasInstalled)
        #expect(try file.head() == 3)
    }

    @Test func `H17: writes of a trigger come after what it reacts to`() throws {
        let file = try CapturedFile(
            Self.table
                + "CREATE TRIGGER touch AFTER INSERT ON t BEGIN UPDATE t SET a = 'touched' WHERE id = NEW.id; END;"
        )
        try file.write("INSERT INTO t (id) VALUES (1)")
        #expect(try file.short() == ["insert 1", #"update 1 -> {"id":1,"a":"touched","u":null}"#])
    }

    @Test func `H20: the conflict clause of a statement doesn't reach the log`() throws {
        let file = try CapturedFile(Self.table)
        for clause in ["REPLACE", "IGNORE", "FAIL", "ABORT", "ROLLBACK"] {
            try file.write("INSERT OR \(clause) INTO t (a) VALUES (1), (2)")
        }
        let count = try file.database.shell("SELECT count(*), max(seq) FROM rowtail_log")
        #expect(count == "10|10\n")
        let names = CaptureTables.all.map(\.columns).joined().uppercased()
        #expect(!names.contains("NOT NULL") && !names.contains("UNIQUE") && !names.contains("CHECK"))
    }

    @Test func `H30: a log pruned to empty goes on with the next number`() throws {
        let file = try CapturedFile(Self.table)
        try file.write("INSERT INTO t (id) VALUES (1), (2), (3)")
        let pruner = CapturePruner(file.watched, path: file.database.path, retentionAge: .zero)
        // A day later.
        #expect(try pruner.pruneOnce(now: Date().timeIntervalSince1970 + 86_400) == 3)
        #expect(try file.head() == 0)
        try file.write("INSERT INTO t (id) VALUES (4)")
        #expect(try file.head() == 4)
        #expect(try file.installer.status().state.pruned == 3)
        #expect(try file.problem() == nil)
    }

    @Test(arguments: [
        (
            "CREATE TABLE o (id INTEGER PRIMARY KEY); CREATE VIEW t AS SELECT * FROM o",
            "'t' is a view, which is never written to"
        ),
        ("CREATE VIRTUAL TABLE t USING fts5(a)", "'t' is a virtual table, which can't have triggers"),
        ("CREATE TABLE t (a)", "table 't' has no primary key; set feeds.feed.key to the columns of a unique index"),
        ("CREATE TABLE other (a)", "has no table 't' yet"),
    ])
    func `H44: what can't be captured is refused with the reason`(sql: String, reason: String) throws {
        let database = try TemporaryDatabase(sql)
        let installer = CaptureInstaller(WatchedTable(feed: "feed", table: "t", mode: .log), path: database.path)
        let error = #expect(throws: SourceError.self) { try installer.install() }
        #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
        #expect(try database.shell("SELECT count(*) FROM sqlite_master WHERE name LIKE 'rowtail%'") == "0\n")
    }

    @Test func `a key has to be unique`() throws {
        let error = #expect(throws: SourceError.self) {
            _ = try CapturedFile("CREATE TABLE t (a, b)", key: ["a", "b"])
        }
        #expect(
            error?.message.hasPrefix("nothing keeps two rows of table 't' from having the same a, b; create a unique")
                == true
        )
        let file = try CapturedFile("CREATE TABLE t (a, b); CREATE UNIQUE INDEX x ON t (b, a)", key: ["A", "b"])
        try file.write("INSERT INTO t VALUES (1, 'x')")
        #expect(try file.events() == [#"{"op":"insert","key":{"a":1,"b":"x"},"before":null,"after":{"a":1,"b":"x"}}"#])
    }

    @Test func `H46: rows that foreign keys delete or change are logged`() throws {
        let file = try CapturedFile(
            """
            CREATE TABLE p (id INTEGER PRIMARY KEY);
            CREATE TABLE t (
                id INTEGER PRIMARY KEY,
                p REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE, q REFERENCES p (id) ON DELETE SET NULL);
            """
        )
        let on = "PRAGMA foreign_keys = 1"
        try file.write("INSERT INTO p VALUES (1), (2); INSERT INTO t VALUES (10, 1, 2), (11, 1, NULL)", pragmas: on)
        let head = try file.head()
        try file.write("DELETE FROM p WHERE id = 2; UPDATE p SET id = 5 WHERE id = 1; DELETE FROM p", pragmas: on)
        let events = try file.short(after: head)
        #expect(
            events == [
                #"update 10 -> {"id":10,"p":1,"q":null}"#, #"update 10 -> {"id":10,"p":5,"q":null}"#,
                #"update 11 -> {"id":11,"p":5,"q":null}"#, "delete 10", "delete 11",
            ]
        )
    }
}
