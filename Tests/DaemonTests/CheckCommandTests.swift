// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// `rowtail check`, and what `rowtail serve` makes of the same configuration.
    @Suite struct CheckCommandTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
        }

        /// What `check --json` prints.
        private struct Report: Decodable {
            struct Feed: Decodable {
                var name: String
                var verdict: String
                var findings: [Finding]
            }

            struct Finding: Decodable {
                var level: String
                var topic: String
                var message: String
                var remedy: String?
                var sql: String?

                var sentence: String { remedy.map { "\(message); \($0)" } ?? message }
            }

            var user: String
            var verdict: String
            var warnings: [String]
            var feeds: [Feed]
        }

        /// A table followed by time, with two rows.
        private static func times(_ values: String) -> String {
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, at); CREATE INDEX t_at ON t (at);
            WITH v(a, b) AS (SELECT \(values)) INSERT INTO t (at) SELECT a FROM v UNION ALL SELECT b FROM v;
            """
        }

        private func config(_ database: String, _ feeds: String) throws -> String {
            try DaemonProcess.write("listen: 127.0.0.1:0\ndatabase: \(database)\nfeeds: \(feeds)\n", in: directory)
        }

        private func check(
            _ config: String,
            _ arguments: [String] = [],
            under wrapper: [String] = []
        ) async throws -> (end: RunningProgram.End, output: String, errors: [String]) {
            let program = try DaemonProcess.run(["check", "--config", config] + arguments, under: wrapper)
            let end = try await program.end()
            return (end, program.state.value.output.joined(separator: "\n"), program.state.value.errors)
        }

        private func report(
            _ config: String,
            _ arguments: [String] = [],
            exit code: Int32,
            under wrapper: [String] = []
        ) async throws -> Report {
            let (end, output, errors) = try await check(config, arguments + ["--json"], under: wrapper)
            #expect(end == .exit(code) && errors == [], "\(output)\n\(errors)")
            return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
        }

        @Test func `a feed that can be served is fine`() async throws {
            let database = try TemporaryDatabase()
            try database.insertOrders(3)
            let (end, output, errors) = try await check(try config(database.path, "{orders: {}}"))
            #expect(end == .exit(0) && errors == [])
            #expect(output.contains("\norders  append  \(database.path)  table orders: fine\n"), "\(output)")
            #expect(output.hasSuffix("\n1 feed: 1 fine"), "\(output)")
            #expect(!output.contains("\u{1B}"))
        }

        @Test func `warnings don't fail, and the daemon logs each of them once`() async throws {
            let database = try TemporaryDatabase(journalMode: "delete", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
            let path = try config(database.path, "{t: {settle: 9s}, u: {table: t}}")
            let report = try await report(path, exit: 0)
            #expect(report.verdict == "warnings")
            let warnings = report.feeds.flatMap { $0.findings.filter { $0.level == "warning" } }
            #expect(warnings.map(\.topic) == ["journal", "ids", "journal", "ids"])
            let daemon = try await DaemonProcess.start(config: path)
            try await daemon.logged("feed=u reason")
            let lines = daemon.log.filter { $0.contains(" warning ") }
            let expected = [
                ("configuration is odd", report.warnings.first ?? ""),
                ("database is not safe", warnings.first?.sentence ?? ""),
                ("feed=t reason", warnings.last?.sentence ?? ""), ("feed=u reason", warnings.last?.sentence ?? ""),
            ]
            #expect(lines.count == expected.count)
            for (line, (start, sentence)) in zip(lines, expected) {
                #expect(line.contains(start) && line.contains(sentence) && !sentence.isEmpty, "\(line)")
            }
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `an invalid configuration is told as the daemon tells it`() async throws {
            let path = try config("app.db", "{orders: {tabel: orders}}")
            let (end, output, errors) = try await check(path, ["--json"])
            #expect(end == .exit(78))
            #expect(errors.count == 1 && errors[0].hasPrefix("\(path):3: feeds.orders.tabel: unknown key"), "\(errors)")
            struct Answer: Decodable {
                var verdict: String
                var errors: [String]
            }
            let answer = try JSONDecoder().decode(Answer.self, from: Data(output.utf8))
            #expect(answer.verdict == "invalid" && answer.errors == errors)
        }

        @Test func `a file that isn't there does not look fine`() async throws {
            let path = try config("app.db", "{orders: {}, old: {retired: true}}")
            let report = try await report(path, exit: 69)
            #expect(report.feeds.map(\.name) == ["orders"])
            #expect(report.feeds.map(\.verdict) == ["waiting"])
            #expect(report.feeds.first?.findings.last?.message.hasSuffix("is not there yet") == true)
        }

        @Test(
            arguments: [
                ("CREATE TABLE t (x)", "{t: {}}"),
                ("CREATE TABLE t (a, b, PRIMARY KEY (a, b))", "{t: {}}"),
                ("CREATE TABLE t (n INT PRIMARY KEY)", "{t: {}}"),
                ("CREATE TABLE t (n INTEGER NOT NULL)", "{t: {watermark: n}}"),
                ("CREATE TABLE t (n INTEGER NOT NULL UNIQUE); INSERT INTO t VALUES (1), ('x')", "{t: {watermark: n}}"),
                ("CREATE TABLE t (n INTEGER NOT NULL UNIQUE); INSERT INTO t VALUES (1), (2.5)", "{t: {watermark: n}}"),
                ("CREATE TABLE t (id INTEGER PRIMARY KEY)", "{t: {watermark: n}}"),
                ("CREATE TABLE t (id INTEGER PRIMARY KEY)", "{t: {columns: [n]}}"),
                ("CREATE TABLE t (id INTEGER PRIMARY KEY)", "{t: {where: n = 1}}"),
                ("CREATE TABLE t (id INTEGER PRIMARY KEY)", "{t: {where: 'id = ?'}}"),
                ("CREATE TABLE t (a, at)", "{t: {mode: updated, watermark: at}}"),
                ("CREATE TABLE t (a, at)", "{t: {mode: updated, watermark: at, key: a}}"),
                ("CREATE TABLE t (a, at)", "{t: {mode: updated, watermark: time, key: a}}"),
                (
                    Self.times("CAST(strftime('%s') AS INTEGER) - 60, CAST(strftime('%s') AS INTEGER) - 9"),
                    "{t: {mode: updated, watermark: at, settle: 500ms}}"
                ),
                (Self.times("7, 8"), "{t: {mode: updated, watermark: at}}"),
                (Self.times("'2020-01-01 00:00:00', '2020-01-01'"), "{t: {mode: updated, watermark: at}}"),
                (Self.times("'2020-01-01 00:00:00', NULL"), "{t: {mode: updated, watermark: at}}"),
                ("CREATE TABLE t (id INTEGER PRIMARY KEY)", "{t: {mode: log}}"),
                ("CREATE TABLE t (x)", "{t: {mode: log}}"),
                ("CREATE VIEW t AS SELECT 1", "{t: {mode: log}}"),
                ("CREATE VIEW t AS SELECT 1", "{t: {}}"),
                ("CREATE VIRTUAL TABLE t USING fts5(x)", "{t: {}}"),
                (
                    "PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES ('table','t','t',0,'CREATE')",
                    "{t: {}}"
                ),
            ]
        )
        func `the daemon refuses what a check refuses, in the same words`(schema: String, feeds: String) async throws {
            let database = try TemporaryDatabase(schema)
            let path = try config(database.path, feeds)
            let report = try await report(path, exit: 69)
            let refused = report.feeds.flatMap { $0.findings.filter { $0.level == "refused" } }
            #expect(refused.count == 1, "\(report)")
            let daemon = try await DaemonProcess.start(config: path)
            try await daemon.logged("feed is broken")
            let feed = try await daemon.feed("t")
            #expect(feed.state == "broken" && feed.lastError == refused.first?.sentence)
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test(arguments: [["--user", "no-such-user"], ["--bogus"], ["extra"]])
        func `a wrong usage is told`(arguments: [String]) async throws {
            let (end, output, errors) = try await check(try config("app.db", "{orders: {}}"), arguments)
            #expect(end == .exit(64) && output == "", "\(output)")
            #expect(errors.contains { $0.hasPrefix("Error: ") }, "\(errors)")
        }
    }
}
