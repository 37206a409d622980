// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// Rows come out of the log as they come out of the table.
@Suite(.timeLimit(.minutes(2))) struct CaptureImageTests {
    private static let values = [
        "NULL", "0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775807 - 1", "0.0", "1.0", "-2.5",
        "0.1",
        "0.1 + 0.2", "1.0 / 3", "19.99", "123456.789012", "-999999999.999999", "1e15", "9007199254740992.0", "1e16",
        "1e300",
        "-1.7976931348623157e308", "5e-324", "-2.2250738585072014e-308", "9e999", "-9e999", "''", "'ada'", "'it''s'",
        "''''", "'a,b'",
        "CAST(x'0102090a0d1f7f' AS TEXT)", "CAST(x'610062' AS TEXT)", "CAST(x'00' AS TEXT)", "'\u{E4}\u{1F980}'",
        "'NULL'", "'O12'",
        "CAST(x'61ff62' AS TEXT)", "CAST(x'eda080' AS TEXT)", "CAST(x'61e282' AS TEXT)", "x''", "x'00ff'",
        "'{\"a\": [1, 2.50]}'",
        "'{\"a\":}'", "CAST(x'7b7d00787878' AS TEXT)",
    ]

    /// The rows as the encoder of tables writes them, in the order of their ids.
    private static func rows(_ file: CapturedFile, _ watched: WatchedTable) throws -> [String] {
        try CaptureDatabase(path: file.database.path, readOnly: true).read { db in
            var (results, fields): ([String], [(name: String, column: Int, jsonColumn: Int?)]) = ([], [])
            for name in watched.columns?.map({ $0.lowercased() }) ?? ["id", "v", "json"] {
                fields.append((name, results.count, name == "json" ? results.count + 1 : nil))
                results.append(name)
                if name == "json" {
                    results.append("CASE WHEN typeof(json) = 'text' AND json_valid(json) THEN json(json) END")
                }
            }
            let encoder = RowEncoder(fields: fields, integers: watched.integers)
            let query = try PreparedQuery(db, "SELECT \(results.joined(separator: ", ")) FROM t ORDER BY id")
            var rows: [String] = []
            var writer = ByteWriter()
            try query.run { statement in
                writer.truncate(to: 0)
                _ = encoder.encode(statement, into: &writer, limit: .max)
                rows.append(String(decoding: writer.bytes, as: UTF8.self))
                return true
            }
            return rows
        }
    }

    private static func images(_ file: CapturedFile, _ watched: WatchedTable) throws -> [String] {
        try file.events(as: watched).map { event in
            String(try #require(event.firstMatch(of: /"before":null,"after":(.*)\}$/)).1)
        }
    }

    @Test(arguments: ["UTF-8", "UTF-16le", "UTF-16be"], ["", "REAL", "INTEGER", "TEXT", "NUMERIC", "BLOB"])
    func `H18: every kind of value is logged as a read of the table gives it`(encoding: String, type: String) throws {
        let file = try CapturedFile(
            "PRAGMA encoding = '\(encoding)'; CREATE TABLE t (id INTEGER PRIMARY KEY, v \(type), json);"
        )
        for value in Self.values {
            try file.write("INSERT INTO t (v, json) VALUES (\(value), \(value))")
        }
        var watched = file.watched
        watched.jsonColumns = ["json"]
        watched.maxEventBytes = .max
        let rows = try Self.rows(file, watched)
        #expect(rows.count == Self.values.count)
        for (value, (image, row)) in zip(Self.values, zip(try Self.images(file, watched), rows)) {
            #expect(image == row, "\(value)")
        }
        watched.integers = .string
        watched.columns = ["json", "V"]
        #expect(try Self.images(file, watched) == Self.rows(file, watched))
    }

    @Test func `H18: every REAL is logged to the last bit`() throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, v);")
        var random = SeededGenerator(seed: 4711)
        var numbers: [Double] = []
        for index in 0..<60_000 {
            let number =
                switch index % 4 {
                // Past 10^300 they are as exact as `quote()`.
                case 0: Double(bitPattern: random.next()).magnitude.remainder(dividingBy: 1e300)
                case 1: Double.random(in: -10...10, using: &random)
                case 2: Double(Int.random(in: -10_000_000...10_000_000, using: &random)) / 100
                default: Double(Int64.random(in: -1_000_000_000...1_000_000_000, using: &random)) / 1e6 * 1.19
                }
            numbers.append(number.isNaN || number == 0 ? 1 : number)
        }
        let writer = try file.database.connect()
        try writer.write { db in
            let statement = try db.makeStatement(sql: "INSERT INTO t (v) VALUES (?)")
            for number in numbers { try statement.execute(arguments: [number]) }
        }
        try writer.close()
        let images = try Self.images(file, file.watched)
        #expect(images.count == numbers.count)
        for (index, (image, number)) in zip(images, numbers).enumerated() {
            let expected = number.isFinite ? "\(number)" : number > 0 ? "\"Infinity\"" : "\"-Infinity\""
            guard image != "{\"id\":\(index + 1),\"v\":\(expected)}" else { continue }
            Issue.record("\(number): \(image)")
        }
    }

    @Test(arguments: [200, 1000])
    func `H18: a table of many columns is logged`(count: Int) throws {
        let columns = (1..<count).map { "c\($0)" }
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, \(columns.joined(separator: ", ")));")
        try file.write(
            "INSERT INTO t (c1, c\(count - 1)) VALUES (1.5, 'last'); UPDATE t SET c2 = x'00'; REPLACE INTO t (id) VALUES (1)"
        )
        let events = try file.events()
        #expect(events.count == 4)
        #expect(events[0].contains(#""c1":1.5,"c2":null,"#) && events[0].hasSuffix(#""c\#(count - 1)":"last"}}"#))
        #expect(events[2].hasPrefix(#"{"op":"delete","key":{"id":1},"before":{"id":1,"c1":1.5,"c2":"AA==","#))
    }

    @Test func `H18: the triggers use nothing that SQLite 3.7 doesn't have`() throws {
        let file = try CapturedFile(
            "CREATE TABLE t (a TEXT, b, c REAL, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE UNIQUE INDEX x ON t (c);"
        )
        let sql = try file.database.shell("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        // What stands before a parenthesis is a function, or one of these words.
        let words = Set(sql.matches(of: /([A-Za-z_]+) ?\(/).map { String($0.1) })
        let functions: Set = ["quote", "strftime", "typeof", "length", "substr", "round", "max", "CAST"]
        let others: Set = [
            "EXISTS", "WHEN", "AND", "OR", "NOT", "WHERE", "rowtail_log", "rowtail_staged", "SELECT", "THEN", "ELSE",
        ]
        #expect(words.subtracting(others).isSubset(of: functions), "\(words.subtracting(others))")
        for word in ["WITH ", "RETURNING", "CONFLICT", "json", "->", "FILTER", "OVER", "IS TRUE", "main."] {
            #expect(!sql.contains(word), "\(word)")
        }
    }

    @Test func `names are quoted, whatever they are`() throws {
        let names = ["or\"der", "it's", "select", "a b", "\u{E4}\u{308}", "new", "x,y"]
        let columns = names.map(TableQueries.quoted).joined(separator: ", ")
        let table = TableQueries.quoted("my \"t'able")
        let file = try CapturedFile(
            "CREATE TABLE \(table) (id INTEGER PRIMARY KEY, \(columns)); CREATE UNIQUE INDEX x ON \(table) (\(columns));",
            table: "MY \"t'able"
        )
        let marks = names.indices.map { "\($0)" }.joined(separator: ", ")
        try file.write("INSERT INTO \(table) VALUES (1, \(marks)); REPLACE INTO \(table) VALUES (2, \(marks))")
        #expect(try file.short() == ["insert 1", "delete 1", "insert 2"])
        #expect(try file.events()[0].contains(#""or\"der":0,"it's":1,"select":2,"a b":3,"#))
        #expect(try file.problem() == nil)
    }

    @Test func `a row too large for any event is logged as its size`() throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);")
        try file.write(
            "INSERT INTO t VALUES (1, zeroblob(40000000), zeroblob(27108864)), (2, zeroblob(40000000), zeroblob(27108865))"
        )
        try file.write("UPDATE t SET a = 1, b = 2 WHERE id = 2")
        let lengths = try file.database.shell("SELECT length(before), length(after) FROM rowtail_log ORDER BY seq")
        #expect(lengths == "|134217737\n|9\n9|5\n")
        #expect(try file.events() == ["oversize 67108864", "oversize 67108865", "oversize 67108865"])
    }

    @Test func `an event over the limit is told by its size`() throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);") { $0.maxEventBytes = 200 }
        try file.write("INSERT INTO t VALUES (1, 'x', zeroblob(300)); UPDATE t SET b = 'small' WHERE id = 1")
        #expect(try file.events() == ["oversize 301", "oversize 307"])
        var watched = file.watched
        watched.columns = ["a"]
        #expect(try file.events(as: watched).map { $0.hasPrefix("{") } == [true, true])
    }

    @Test func `entries of before a column changed are read as they were written`() throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, a);")
        try file.write("INSERT INTO t VALUES (1, 'x'); ALTER TABLE t ADD COLUMN b DEFAULT 7")
        try file.install()
        try file.write("UPDATE t SET a = 'y'")
        var watched = file.watched
        watched.columns = ["b", "id"]
        #expect(
            try file.events(as: watched) == [
                #"{"op":"insert","key":{"id":1},"before":null,"after":{"id":1}}"#, "gap",
                #"{"op":"update","key":{"id":1},"before":{"b":7,"id":1},"after":{"b":7,"id":1}}"#,
            ]
        )
    }

    @Test(arguments: ["", "1,", "1,2,3", "'a", "X'0", "1;2", "1,TX'0g'", "N,1", "1.5&7,1", "O", "O1x", "nonsense,1"])
    func `what the triggers didn't write is an error`(image: String) throws {
        let file = try CapturedFile("CREATE TABLE t (id INTEGER PRIMARY KEY, a);")
        try file.write(
            "INSERT INTO rowtail_log (capture, op, after) VALUES (1, 'insert', \(TableQueries.literal(image)))"
        )
        let error = #expect(throws: SourceError.self) { try file.events() }
        #expect(error?.message.hasPrefix("entry 1 of table 'rowtail_log' isn't what the triggers write; ") == true)
    }
}
