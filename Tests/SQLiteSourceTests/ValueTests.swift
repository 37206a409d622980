// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// How each kind of value is written.
///
/// `V1`. The expected bytes are in `Golden/values.txt`.
/// With `ROWTAIL_UPDATE_GOLDEN` set, the file is written instead of compared.
@Suite(.timeLimit(.minutes(1))) struct ValueTests {
    /// A value as SQL, where SQL has a literal for it.
    private static let literals: [(name: String, sql: String)] = [
        ("null", "NULL"),
        ("integer 0", "0"),
        ("integer -1", "-1"),
        ("integer 2^53 - 1", "9007199254740991"),
        ("integer 2^53", "9007199254740992"),
        ("integer 2^53 + 1", "9007199254740993"),
        ("integer -2^53 - 1", "-9007199254740993"),
        ("integer greatest", "9223372036854775807"),
        ("integer least", "-9223372036854775807 - 1"),
        ("real 0.0", "0.0"),
        ("real 1.0", "1.0"),
        ("real 0.1", "0.1"),
        ("real 0.1 + 0.2", "0.1 + 0.2"),
        ("real 100.0", "100.0"),
        ("real 2^53", "9007199254740992.0"),
        ("real 1e15", "1e15"),
        ("real 1e16", "1e16"),
        ("real 1e300", "1e300"),
        ("real -1e-7", "-1e-7"),
        ("real 5e-324", "5e-324"),
        ("real greatest", "1.7976931348623157e308"),
        ("real infinity", "9e999"),
        ("real -infinity", "-9e999"),
        ("text empty", "''"),
        ("text plain", "'ada'"),
        ("text quotes", "'\"\\/'"),
        ("text controls", "CAST(x'0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f7f' AS TEXT)"),
        ("text NUL inside", "CAST(x'610062' AS TEXT)"),
        ("text NUL alone", "CAST(x'00' AS TEXT)"),
        ("text umlaut, emoji", "'\u{E4}\u{1F980}'"),
        ("text U+2028 U+2029 U+FEFF", "'\u{2028}\u{2029}\u{FEFF}'"),
        ("text U+FFFD U+10FFFF", "'\u{FFFD}\u{10FFFF}'"),
        ("text invalid byte", "CAST(x'61ff62' AS TEXT)"),
        ("text lone continuation", "CAST(x'80bf' AS TEXT)"),
        ("text overlong", "CAST(x'c0afe080aff0808080' AS TEXT)"),
        ("text surrogate", "CAST(x'eda080' AS TEXT)"),
        ("text past U+10FFFF", "CAST(x'f4908080' AS TEXT)"),
        ("text cut in the middle", "CAST(x'61e282' AS TEXT)"),
        ("text cut before a quote", "CAST(x'f09f9822' AS TEXT)"),
        ("blob of 0", "x''"),
        ("blob of 1", "x'00'"),
        ("blob of 2", "x'fbff'"),
        ("blob of 3", "x'fbffbf'"),
        ("blob of 4", "x'00000001'"),
        ("json object", "'{\"a\":[1,2.50,\"x\"],\"b\":null}'"),
        ("json pretty", "'{\n  \"a\": [\n    1,\r\n    2\n  ]\n}\n'"),
        ("json string", "'\"text\"'"),
        ("json number", "' 1.0 '"),
        ("json with escapes", "'\"\\u0000\\n\\u2028\"'"),
        ("json invalid", "'{\"a\":}'"),
        ("json empty", "''"),
        ("json with a raw line break in a string", "'\"a\nb\"'"),
        ("json and more after NUL", "CAST(x'7b7d00787878' AS TEXT)"),
        ("json with invalid UTF-8", "CAST(x'22ff22' AS TEXT)"),
        ("json column with an integer", "7"),
        ("json column with a blob", "x'7b7d'"),
    ]

    /// Values that SQL has no literal for.
    private static let bound: [(name: String, value: Double)] = [
        ("real -0.0", -0.0), ("real NaN", .nan), ("real signalling NaN", .signalingNaN),
        ("real least normal", .leastNormalMagnitude),
    ]

    private static func lines(_ integers: IntegerFormat) async throws -> [String] {
        let database = try TemporaryDatabase("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, v, json);")
        let writer = try database.connect()
        try await writer.write { db in
            for (name, sql) in literals {
                let column = name.hasPrefix("json") ? "json" : "v"
                try db.execute(sql: "INSERT INTO t (name, \(column)) VALUES (?, \(sql))", arguments: [name])
            }
            for (name, value) in bound {
                try db.execute(sql: "INSERT INTO t (name, v) VALUES (?, ?)", arguments: [name, value])
            }
        }
        try writer.close()
        let watched = WatchedTable(
            feed: "t",
            table: "t",
            columns: ["id", "name", "v", "json"],
            jsonColumns: ["json"],
            integers: integers
        )
        let watch = await WatchedFile(database.path, watched)
        try await watch.poll()
        let client = watch.follow()
        _ = try await client.take()
        return client.rows
    }

    @Test func `V1: every kind of value is written as the golden file has it`() async throws {
        let numbers = try await Self.lines(.number)
        let strings = try await Self.lines(.string).filter { $0.contains("integer") }
        let text = (numbers + ["", "int64: string"] + strings).joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["ROWTAIL_UPDATE_GOLDEN"] != nil {
            let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/values.txt")
            try Data(text.utf8).write(to: source)
            return
        }
        let golden = try #require(
            Bundle.module.url(forResource: "values", withExtension: "txt", subdirectory: "Golden")
        )
        let expected = try String(contentsOf: golden, encoding: .utf8)
        for (line, wanted) in zip(text.split(separator: "\n"), expected.split(separator: "\n")) {
            #expect(line == wanted)
        }
        #expect(text.utf8.elementsEqual(expected.utf8))
    }

    @Test func `V1: every row is JSON on one line, and its numbers read back the same`() async throws {
        for integers in IntegerFormat.allCases {
            for line in try await Self.lines(integers) {
                #expect(!line.utf8.contains(UInt8(ascii: "\r")))
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(Set(object?.keys ?? [:].keys) == ["id", "name", "v", "json"], "\(line)")
            }
        }
        let real = try await Self.lines(.number).first { $0.contains("0.1 + 0.2") }
        #expect(real?.contains("0.30000000000000004") == true)
    }

    @Test func `values of a UTF-16 database are written as UTF-8`() async throws {
        let database = try TemporaryDatabase(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, v); VACUUM;"
        )
        try database.execute("INSERT INTO t (v) VALUES ('\u{E4}\u{1F980}'), (x'ff'), (1.5)")
        let watch = await WatchedFile(database.path, WatchedTable(feed: "t", table: "t"))
        try await watch.poll()
        let client = watch.follow()
        _ = try await client.take()
        #expect(client.rows == ["{\"id\":1,\"v\":\"\u{E4}\u{1F980}\"}", #"{"id":2,"v":"/w=="}"#, #"{"id":3,"v":1.5}"#])
    }

    @Test func `names of columns are JSON strings`() async throws {
        let database = try TemporaryDatabase(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \"a\"\"b\" TEXT, \"c\nd\" TEXT, \"\u{E4}\" TEXT, [e f] TEXT, \"\" TEXT);"
        )
        try database.execute("INSERT INTO t DEFAULT VALUES")
        let watch = await WatchedFile(database.path, WatchedTable(feed: "t", table: "t"))
        try await watch.poll()
        let client = watch.follow()
        _ = try await client.take()
        #expect(client.rows == ["{\"id\":1,\"a\\\"b\":null,\"c\\nd\":null,\"\u{E4}\":null,\"e f\":null,\"\":null}"])
    }
}
