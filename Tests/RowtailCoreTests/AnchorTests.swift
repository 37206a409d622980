// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import Testing

@Suite struct AnchorTests {
    @Test(
        arguments: [
            // More than half of the common columns.
            (["a": 1, "b": 2, "c": 3], ["a": 1, "b": 2, "c": 3], true),
            (["a": 1, "b": 2, "c": 3], ["a": 1, "b": 2, "c": 9], true),
            (["a": 1, "b": 2, "c": 3], ["a": 1, "b": 9, "c": 9], false),
            (["a": 1, "b": 2], ["a": 1, "b": 9], false),
            (["a": 1], ["a": 9], false),
            // Columns added, dropped, renamed.
            (["a": 1, "b": 2], ["a": 1, "b": 2, "c": 3, "d": 4, "e": 5], true),
            (["a": 1, "b": 2, "c": 3], ["c": 3], true),
            (["a": 1, "b": 2], ["a": 1, "z": 2], true),
            (["a": 1], ["z": 1], false),
            // A row that has nothing but its key.
            ([:], [:], true),
            ([:], ["a": 1], true),
        ] as [([String: UInt64], [String: UInt64], Bool)]
    )
    func `an anchor holds when more than half of the common columns are unchanged`(
        remembered: [String: UInt64],
        found: [String: UInt64],
        holds: Bool
    ) {
        let anchor = Anchor(position: .integer(1), columns: remembered)
        #expect(anchor.holds(found, telling: []) == holds)
        #expect(anchor.holds(found, telling: Set(remembered.keys)) == holds)
    }

    @Test(
        arguments: [
            // `status`, `currency` and `note` are as in other rows.
            (["token": 1, "status": 5, "currency": 6, "note": 7], ["token"], true),
            (["token": 9, "status": 5, "currency": 6, "note": 7], ["token"], false),
            (["token": 9, "status": 5, "currency": 6, "note": 7], [], true),
            (["token": 1, "status": 9, "currency": 9, "note": 9], ["token"], false),
            (["token": 1, "status": 9, "currency": 6, "note": 7], ["token", "status"], true),
            // The column that tells rows apart was dropped.
            (["status": 5, "currency": 6, "note": 7], ["token"], true),
        ] as [([String: UInt64], Set<String>, Bool)]
    )
    func `an anchor holds only when a column that tells rows apart is unchanged`(
        found: [String: UInt64],
        telling: Set<String>,
        holds: Bool
    ) {
        let remembered: [String: UInt64] = ["token": 1, "status": 5, "currency": 6, "note": 7]
        #expect(Anchor(position: .integer(1), columns: remembered).holds(found, telling: telling) == holds)
    }
}

@Suite struct StableHashTests {
    /// draft-eastlake-fnv, "Test Vectors" for 64-bit FNV-1a.
    @Test(
        arguments: [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("b", 0xaf63_df4c_8601_f1a5),
            ("fo", 0x0898_5907_b541_d342),
            ("foo", 0xdcb2_7518_fed9_d577),
            ("foobar", 0x8594_4171_f739_67e8),
        ] as [(String, UInt64)]
    )
    func `the published test vectors come out`(text: String, value: UInt64) {
        var whole = StableHash()
        Array(text.utf8).withUnsafeBytes { whole.feed($0) }
        #expect(whole.value == value)
        var single = StableHash()
        for byte in text.utf8 {
            single.feed(byte)
        }
        #expect(single.value == value)
    }

    @Test func `an integer is fed least significant byte first`() {
        var integer = StableHash()
        integer.feed(0x0807_0605_0403_0201 as UInt64)
        var bytes = StableHash()
        for byte in UInt8(1)...8 {
            bytes.feed(byte)
        }
        #expect(integer.value == bytes.value)
    }
}
