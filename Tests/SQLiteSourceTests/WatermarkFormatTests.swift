// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// How times are told by what stands in a column.
@Suite struct WatermarkFormatTests {
    private static let now = UnixTime(microseconds: 1_700_000_000_000_000)

    private static func text(_ text: String) -> KeyValue { .text(Array(text.utf8)) }

    private static let formats: [([KeyValue], String?, Int64?)] = [
        ([KeyValue.integer(1_699_999_999)], "unix seconds", 1_000_000),
        ([KeyValue.integer(1_699_999_999_123)], "unix milliseconds", 1000),
        ([KeyValue.integer(1_699_999_999_123_456)], "unix microseconds", 1),
        ([KeyValue.integer(1_699_999_999_123_456_789)], "unix nanoseconds", 1),
        ([KeyValue.real(1_699_999_999.25)], "unix seconds with a fraction", 1),
        ([KeyValue.real(2_460_263.5104)], "Julian days", 1),
        ([KeyValue.real(1_699_999_999), .integer(1_699_999_990)], "unix seconds", 1_000_000),
        // A time far ahead, and a zero for "never", don't hide what the others are.
        ([KeyValue.integer(253_402_300_799), .integer(1_699_999_999), .integer(0)], "unix seconds", 1_000_000),
        ([KeyValue.integer(42), .integer(41)], "a version that grows with every write", nil),
        ([KeyValue.integer(500_000_000)], "a version that grows with every write", nil),
        ([text("2023-11-14 22:13:20")], "ISO 8601 text like '2026-01-01 00:00:00'", 1_000_000),
        ([text("2023-11-14T22:13:20.123Z")], "ISO 8601 text like '2026-01-01T00:00:00.000Z'", 1000),
        (
            [text("2023-11-14T22:13:20"), text("2023-11-14T22:13:19.123456")],
            "ISO 8601 text like '2026-01-01T00:00:00.000000'", 1
        ),
        ([text("2023-11-14T23:13:20+01:00")], "ISO 8601 text like '2026-01-01T01:00:00+01:00'", 1_000_000),
        ([text("2023-11-14")], "ISO 8601 text like '2026-01-01'", 86_400_000_000),
        ([text("yesterday")], nil, nil),
        ([KeyValue.blob([1])], nil, nil),
        ([KeyValue.real(0.5)], nil, nil),
    ]

    @Test(arguments: formats)
    func `the format is told by the values`(values: [KeyValue], description: String?, resolution: Int64?) {
        let format = WatermarkFormat.detect(values, now: Self.now)
        #expect(format?.description == description)
        #expect(format?.resolution == resolution)
        for value in values where format != nil { #expect(format?.fits(value) == true) }
    }

    /// The columns of a real database, in SQLite's own spelling of one time after the other.
    @Test(arguments: [
        "strftime('%s', t, 'unixepoch') + 0", "CAST(t * 1000 AS INTEGER)", "CAST(t * 1000000 AS INTEGER)", "t",
        "julianday(t, 'unixepoch')", "datetime(t, 'unixepoch')", "strftime('%Y-%m-%dT%H:%M:%fZ', t, 'unixepoch')",
        "strftime('%Y-%m-%dT%H:%M:%S+00:00', t, 'unixepoch')",
        "CASE WHEN t = CAST(t AS INTEGER) THEN strftime('%Y-%m-%dT%H:%M:%S', t, 'unixepoch') "
            + "ELSE strftime('%Y-%m-%dT%H:%M:%f', t, 'unixepoch') END",
    ])
    func `a time cuts a column where SQLite sorts it`(expression: String) throws {
        let database = try TemporaryDatabase(
            """
            CREATE TABLE times (t REAL, value);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
            INSERT INTO times SELECT 1699999900 + i / 4.0, NULL FROM n;
            UPDATE times SET value = \(expression);
            """
        )
        let connection = try database.connect()
        try connection.read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT t, value FROM times ORDER BY value DESC")
            func value(_ row: Row) -> KeyValue {
                switch row["value"] as DatabaseValue {
                case let value where value.storage.value is Int64: .integer(value.storage.value as! Int64)
                case let value where value.storage.value is Double: .real(value.storage.value as! Double)
                case let value: .text(Array((value.storage.value as! String).utf8))
                }
            }
            let format = try #require(WatermarkFormat.detect(rows.map(value), now: Self.now))
            let step = Double(max(format.resolution ?? 0, 1)) / 1e6
            for row in rows.dropFirst().dropLast() {
                let time: Double = row["t"]
                #expect(format.fits(value(row)))
                let told = try #require(format.time(of: value(row)))
                #expect(abs(Double(told.microseconds) / 1e6 - time) < max(step, 0.001))
                // The frontier of this moment takes the row in, that of a tick before leaves it out.
                let at = UnixTime(microseconds: Int64(time * 1e6) + 1000)
                let before = UnixTime(microseconds: at.microseconds - Int64(step * 1e6) - 2000)
                #expect(try #require(format.value(at: at)) >= value(row))
                #expect(try #require(format.value(at: before)) < value(row))
            }
        }
        try connection.close()
    }

    @Test func `values are ordered as SQLite orders them`() throws {
        let literals = [
            "-9223372036854775808", "-1.5", "-1", "0", "0.5", "1", "9007199254740993", "9007199254740992.0",
            "9223372036854775807", "9.3e18", "9e999", "-9e999", "''", "'1'", "'A'", "'a'", "'ab'", "'é'", "'Z'", "x''",
            "x'00'",
            "x'00ff'", "x'41'",
        ]
        let database = try TemporaryDatabase(
            "CREATE TABLE t (v); INSERT INTO t VALUES \(literals.map { "(\($0))" }.joined(separator: ", "))"
        )
        let connection = try database.connect()
        try connection.read { db in
            var values: [KeyValue] = []
            try PreparedQuery(db, "SELECT v FROM t ORDER BY v").run { statement in
                values.append(try #require(KeyValue(statement, 0)))
                return true
            }
            #expect(values.count == literals.count)
            #expect(values.shuffled().sorted().map(\.token) == values.map(\.token))
            // And each comes back as itself from an id, through a parameter.
            let echo = try PreparedQuery(db, "SELECT ?1")
            for value in values {
                let read = try #require(KeyValue(token: value.token))
                try echo.run([read]) { statement in
                    #expect(KeyValue(statement, 0)?.token == value.token)
                    return false
                }
            }
        }
        try connection.close()
    }
}
