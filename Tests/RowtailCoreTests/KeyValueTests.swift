// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import Testing

@Suite struct KeyValueTests {
    private static let tokens: [(KeyValue, String)] = [
        (KeyValue.integer(-7), "-7"),
        (KeyValue.integer(.min), "-9223372036854775808"),
        (KeyValue.real(1.5), "1.5"),
        (KeyValue.real(1e20), "1e20"),
        (KeyValue.real(-.leastNonzeroMagnitude), "-5e-324"),
        (KeyValue.real(2), "2.0"),
        (KeyValue.real(-.infinity), "-inf"),
        (KeyValue.text(Array("ada".utf8)), "ada"),
        (KeyValue.text([]), ""),
        (KeyValue.text(Array("2026-01-31T09:00:00Z".utf8)), "2026-01-31T09%3A00%3A00Z"),
        (KeyValue.text(Array("a~b@c, d%".utf8)), "a%7Eb%40c%2C%20d%25"),
        (KeyValue.text(Array("é\n".utf8)), "%C3%A9%0A"),
        (KeyValue.text([0xff, 0]), "%FF%00"),
        // What reads as a number, or as a blob, stays a text.
        (KeyValue.text(Array("42".utf8)), "%342"),
        (KeyValue.text(Array("-1e5".utf8)), "%2d1e5"),
        (KeyValue.text(Array("inf".utf8)), "%69nf"),
        (KeyValue.text(Array("x'00'".utf8)), "x%2700%27"),
        (KeyValue.text(Array("99999999999999999999".utf8)), "99999999999999999999"),
        (KeyValue.blob([0, 0xab]), "x'00ab'"),
        (KeyValue.blob([]), "x''"),
    ]

    @Test(arguments: tokens)
    func `a value is read and written, its kind included`(value: KeyValue, token: String) {
        #expect(value.token == token)
        let read = KeyValue(token: token)
        #expect(read == value)
        #expect(String(describing: read) == String(describing: Optional(value)))
        #expect(token.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"~@,".utf8.contains($0) })
    }

    @Test func `whole numbers of both kinds are one value`() {
        #expect(KeyValue.integer(3) == .real(3) && KeyValue.integer(3).hashValue == KeyValue.real(3).hashValue)
        #expect(KeyValue.integer(.max) < .real(0x1p63) && KeyValue.real(-0x1p63) == .integer(.min))
        #expect(KeyValue.integer(9_007_199_254_740_993) > .real(9_007_199_254_740_992))
    }

    @Test func `positions with keys lie after all others, by watermark, then by key`() {
        func row(_ values: KeyValue...) -> Position { .row(RowPosition(values)) }
        let order: [Position] = [
            .earliest, .integer(.max), row(.integer(1), .integer(9)), row(.integer(1), .text([65])),
            row(.integer(2), .integer(-1)), row(.text([49]), .integer(0)),
        ]
        #expect(order.shuffled().sorted() == order)
        #expect(row(.integer(4), .integer(1)).distance(to: row(.integer(9), .integer(0))) == 5)
    }
}

@Suite struct TimeTextTests {
    @Test(
        arguments: [
            ("1970-01-01 00:00:00", 0, ""),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999_000, "Z"),
            ("1969-12-31T23:59:59.5", -500_000, ""),
            ("2026-01-31", 1_769_817_600_000_000, ""),
            ("2026-01-31T09:00", 1_769_850_000_000_000, ""),
            ("2026-01-31T11:00:00.123456789+02:00", 1_769_850_000_123_456, "+02:00"),
            ("2026-01-31 03:30:00 -0530", 1_769_850_000_000_000, " -0530"),
            ("9999-12-31 23:59:59 UTC", 253_402_300_799_000_000, " UTC"),
        ] as [(String, Int64, String)]
    )
    func `times are read and written in their spelling`(text: String, microseconds: Int64, suffix: String) throws {
        let read = try #require(TimeText(Array(text.utf8)))
        #expect(read.time.microseconds == microseconds)
        #expect(read.style.suffix == suffix)
        let written = TimeText.write(read.time, read.style)
        #expect(written == text.replacing("123456789", with: "123456000"))
    }

    @Test(arguments: [
        "", "2026", "2026-13-01", "2026-02-30", "2026-01-31T", "2026-01-31T24:00:00", "2026-01-31T09:00:00.",
        "26-01-31",
        "2026-01-31T09:00:00ZZ", "2026-01-31T09:00:00+25:00", "2026-01-31 09:00:00 ", "2026-01-31T09:60", "x",
    ])
    func `what is no time is refused`(text: String) {
        #expect(TimeText(Array(text.utf8)) == nil)
    }

    @Test func `every day from the year 0 to 9999 is its own`() throws {
        var last: UnixTime?
        for days in stride(from: Int64(-719_528), through: 2_932_896, by: 1) {
            let time = UnixTime(microseconds: days * 86_400_000_000 + 1)
            #expect(UnixTime(time.civil) == time)
            if let last { #expect(last < time) }
            last = time
        }
    }

    @Test(
        arguments: [
            ("2026-01-31T09:00:00Z", 1_769_850_000_000_000),
            ("2026-01-31t09:00:00.5z", 1_769_850_000_500_000),
            ("2026-01-31T10:00:00+01:00", 1_769_850_000_000_000),
            ("2026-01-31", nil), ("2026-01-31T09:00:00", nil), ("2026-01-31T09:00Z", nil), ("1042", nil),
        ] as [(String, Int64?)]
    )
    func `RFC 3339 wants seconds and an offset`(text: String, microseconds: Int64?) {
        #expect(UnixTime(rfc3339: text)?.microseconds == microseconds)
    }
}
