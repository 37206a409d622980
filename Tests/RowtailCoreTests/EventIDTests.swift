// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import Testing

@Suite struct PositionTests {
    @Test(arguments: [
        ("earliest", Position.earliest),
        ("0", .integer(0)),
        ("1042", .integer(1042)),
        ("-5", .integer(-5)),
        ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)),
    ])
    func `a position is read and written`(text: String, position: Position) {
        #expect(Position(text) == position)
        #expect(position.description == text)
    }

    @Test(arguments: [
        "", " ", "+5", "5 ", " 5", "5.0", "0x5", "1_000", "--5", "-", "Earliest", "earliest1", "latest", "\u{661}",
        "9223372036854775808", "-9223372036854775809", "99999999999999999999999",
    ])
    func `what is no position is refused`(text: String) {
        #expect(Position(text) == nil)
    }

    @Test func `earliest lies before every integer`() {
        let order: [Position] = [.earliest, .integer(.min), .integer(-1), .integer(0), .integer(1), .integer(.max)]
        #expect(order.shuffled().sorted() == order)
    }

    @Test(arguments: [
        (Position.integer(3), Position.integer(10), 7.0),
        (.integer(10), .integer(3), 0),
        (.earliest, .integer(10), 10),
        (.integer(.min), .integer(.max), 0x1p64),
        (.earliest, .earliest, 0),
    ])
    func `the distance counts forward and never overflows`(from: Position, to: Position, distance: Double) {
        #expect(from.distance(to: to) == distance)
    }
}

@Suite struct EventIDTests {
    @Test(arguments: [
        ("1042", EventID(.integer(1042), generation: 0)),
        ("1042@1", EventID(.integer(1042), generation: 1)),
        ("-5@12", EventID(.integer(-5), generation: 12)),
        ("earliest", EventID(.earliest, generation: 0)),
        ("earliest@2", EventID(.earliest, generation: 2)),
        ("1@9223372036854775807", EventID(.integer(1), generation: .max)),
        ("1700000000~42", EventID(.row(RowPosition([.integer(1_700_000_000), .integer(42)])), generation: 0)),
        (
            "-1.5~eu~7@3",
            EventID(.row(RowPosition([.real(-1.5), .text(Array("eu".utf8)), .integer(7)])), generation: 3)
        ),
    ])
    func `an id is read and written`(text: String, id: EventID) {
        #expect(EventID(text) == id)
        #expect(id.description == text)
    }

    @Test func `an id may name generation 0`() {
        #expect(EventID("7@0") == EventID(.integer(7), generation: 0))
    }

    @Test(arguments: [
        "", "@", "@1", "1042@", "1042@@1", "1042@1@2", "+5", "5@+1", "5@-1", "5@ 1", "5 @1", "5@x", "earliest@",
        "5@9223372036854775808", "9223372036854775808@1", "5@\u{661}", "5@\u{301}1", "a", "5,6", "orders:5", "5~%",
        "5~%4", "5~%zz",
        "5~a b", "5~\u{e9}", "5~x'0'", "5~x'0g'", "5~6@x",
    ])
    func `what is no id is refused`(text: String) {
        #expect(EventID(text) == nil)
    }

    @Test func `an id is read from a part of a text`() {
        #expect(EventID("id 5@1".dropFirst(3)) == EventID(.integer(5), generation: 1))
    }
}
