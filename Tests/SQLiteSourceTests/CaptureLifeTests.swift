// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// Installing, pruning and removing.
@Suite(.timeLimit(.minutes(1))) struct CaptureLifeTests {
    private static let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a);"

    private static func schema(_ database: TemporaryDatabase) throws -> String {
        try database.shell("SELECT name FROM sqlite_master WHERE name LIKE 'rowtail%' ORDER BY name")
    }

    @Test func `installing never creates a file or changes the journal mode`() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.file("none.db")
        let watched = WatchedTable(feed: "feed", table: "t", mode: .log)
        let error = #expect(throws: SourceError.self) { try CaptureInstaller(watched, path: missing).install() }
        #expect(error?.message.hasPrefix("database file '\(missing)' is not there") == true)
        #expect(FileStat(path: missing) == nil)
        for mode in ["delete", "wal"] {
            let database = try TemporaryDatabase(journalMode: mode, Self.table)
            _ = try CaptureInstaller(watched, path: database.path).install()
            #expect(try database.shell("PRAGMA journal_mode") == "\(mode)\n")
        }
    }

    @Test func `a locked database is told after a while, and unchanged`() throws {
        let database = try TemporaryDatabase(Self.table)
        let writer = try database.connect()
        try writer.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN IMMEDIATE; INSERT INTO t VALUES (1, 1)")
            let watched = WatchedTable(feed: "feed", table: "t", mode: .log)
            let error = #expect(throws: SourceError.self) {
                try CaptureInstaller(watched, path: database.path).install()
            }
            #expect(error?.code == .busy)
            #expect(error?.message.contains("stayed locked by another connection for 5.0 seconds; try again") == true)
            try db.execute(sql: "COMMIT")
        }
        #expect(try Self.schema(database) == "")
    }

    @Test(arguments: ["", "INSERT INTO t VALUES (7, 'x');"])
    func `the trial leaves no trace`(rows: String) throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a NOT NULL); \(rows)")
        #expect(try file.database.shell("SELECT count(*) FROM rowtail_log") == "0\n")
        #expect(try file.database.shell("SELECT group_concat(id || a) FROM t") == (rows.isEmpty ? "\n" : "7x\n"))
        try file.write("INSERT INTO t (a) VALUES (1)")
        #expect(try file.short() == [rows.isEmpty ? "insert 1" : "insert 8"])
    }

    @Test func `what the application's own constraints refuse is no failure`() throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, a CHECK (a = 'never'));")
        #expect(try file.problem() == nil)
        let other = try TemporaryDatabase(
            "\(Self.table) INSERT INTO t VALUES (1, 1);"
                + "CREATE TRIGGER own BEFORE DELETE ON t BEGIN SELECT missing(1); END; "
        )
        let watched = WatchedTable(feed: "feed", table: "t", mode: .log)
        let done = try CaptureInstaller(watched, path: other.path).install()
        #expect(done.untried?.contains("no such function: missing") == true)
    }

    @Test func `two tables share a log, and each is removed by itself`() throws {
        let file = try CapturedFile(Self.table + "CREATE TABLE o (id INTEGER PRIMARY KEY, b);")
        let other = WatchedTable(feed: "other", table: "o", mode: .log)
        let otherInstaller = CaptureInstaller(other, path: file.database.path)
        _ = try otherInstaller.install()
        try file.write("INSERT INTO t VALUES (1, 1); INSERT INTO o VALUES (2, 2); INSERT INTO t VALUES (3, 3)")
        #expect(try file.installer.status().entries == 2)
        _ = try file.installer.remove()
        #expect(try file.database.shell("SELECT group_concat(seq) FROM rowtail_log") == "2\n")
        #expect(try otherInstaller.status().state.problem == nil)
        try file.write("INSERT INTO t VALUES (4, 4); INSERT INTO o VALUES (5, 5)")
        #expect(try otherInstaller.status().entries == 2)
        _ = try otherInstaller.remove()
        #expect(try Self.schema(file.database) == "")
        try file.write("INSERT INTO t VALUES (6, 6); INSERT INTO o VALUES (7, 7)")
        let error = #expect(throws: SourceError.self) { try otherInstaller.remove() }
        #expect(error?.message == "capture isn't installed on table 'o', so there is nothing to remove")
    }

    @Test func `capture follows no table to another name`() throws {
        let file = try CapturedFile(Self.table)
        try file.write("ALTER TABLE t RENAME TO old; \(Self.table) INSERT INTO t VALUES (1, 1)")
        #expect(try file.problem()?.hasPrefix("capture on table 't' has lost its triggers") == true)
        try file.install()
        try file.write("INSERT INTO t VALUES (2, 2); INSERT INTO old VALUES (3, 3)")
        #expect(try file.short() == ["gap", "insert 2"])
    }

    @Test func `pruning keeps the newest rows and tells where they begin`() throws {
        let file = try CapturedFile(Self.table + "CREATE TABLE o (id INTEGER PRIMARY KEY);")
        _ = try CaptureInstaller(WatchedTable(feed: "o", table: "o", mode: .log), path: file.database.path).install()
        try file.write(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO t SELECT i, i FROM n;
            INSERT INTO o VALUES (1); INSERT INTO t VALUES (3000, 0)
            """
        )
        let pruner = CapturePruner(file.watched, path: file.database.path, retentionRows: 100)
        #expect(try pruner.pruneOnce(now: Date().timeIntervalSince1970, dryRun: true) == 2401)
        #expect(try pruner.pruneOnce(now: Date().timeIntervalSince1970) == 2401)
        #expect(try pruner.pruneOnce(now: Date().timeIntervalSince1970) == 0)
        let status = try file.installer.status()
        #expect(status.entries == 100 && status.state.pruned == 2401)
        // The other table's are its own.
        #expect(try file.database.shell("SELECT count(*) FROM rowtail_log WHERE capture = 2") == "1\n")
    }

    @Test func `pruning by age stops at the first entry that is young enough`() throws {
        let file = try CapturedFile(Self.table)
        try file.write("INSERT INTO t (id) VALUES (1), (2), (3), (4)")
        try file.write(
            """
            UPDATE rowtail_log SET at = '2026-01-01T00:00:00.000Z' WHERE seq IN (1, 2, 4);
            UPDATE rowtail_log SET at = '2026-01-01T01:00:00.000Z' WHERE seq = 3
            """
        )
        // 2026-01-01T01:10:00Z, the clock of the fourth entry had been set back.
        let now = 1_767_229_800.0
        let pruner = CapturePruner(file.watched, path: file.database.path, retentionAge: .seconds(1800))
        #expect(try pruner.pruneOnce(now: now) == 2)
        let both = CapturePruner(file.watched, path: file.database.path, retentionAge: .seconds(1800), retentionRows: 1)
        #expect(try both.pruneOnce(now: now) == 1)
        #expect(try file.short() == ["insert 4"])
    }

    @Test func `a foreign table of the same name is left alone`() throws {
        let database = try TemporaryDatabase(Self.table + "CREATE TABLE rowtail_log (mine);")
        let installer = CaptureInstaller(WatchedTable(feed: "feed", table: "t", mode: .log), path: database.path)
        let error = #expect(throws: SourceError.self) { try installer.install() }
        #expect(
            error?.message.hasPrefix("table 'rowtail_log' isn't the one that rowtail makes; rename or drop it") == true
        )
    }
}
