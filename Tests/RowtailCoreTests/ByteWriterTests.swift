// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@Suite struct ByteWriterTests {
    private static func text(_ writer: borrowing ByteWriter) -> String {
        String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(
        arguments: [
            0, 1, -1, 9, 10, 11, 99, 100, -10, 1_234_567_890, .max, .max - 1, .min, .min + 1, 1_000_000_000_000_000_000,
        ] as [Int64]
    )
    func `an integer is written in decimal`(value: Int64) {
        var writer = ByteWriter()
        writer.write("<")
        writer.write(decimal: value)
        writer.write(">")
        #expect(Self.text(writer) == "<\(value)>")
    }

    @Test func `it grows and keeps what was written`() {
        var writer = ByteWriter(capacity: 1)
        var expected = ""
        for number in 0..<1000 {
            writer.write(text: "\(number),")
            expected += "\(number),"
        }
        #expect(Self.text(writer) == expected)
        let large = [UInt8](repeating: 7, count: 1_000_000)
        writer.write(large)
        #expect(writer.count == expected.utf8.count + large.count)
        #expect(writer.bytes.suffix(large.count).elementsEqual(large))
    }

    @Test func `it is used again after being cut`() {
        var writer = ByteWriter()
        writer.write("abcdef")
        writer.truncate(to: 2)
        writer.write("X")
        #expect(Self.text(writer) == "abX")
        writer.truncate(to: 0)
        #expect(writer.count == 0)
        #expect(writer.bytes.isEmpty)
    }

    @Test func `an empty run of bytes changes nothing`() {
        var writer = ByteWriter()
        writer.write([])
        writer.write(UnsafeRawBufferPointer(start: nil, count: 0))
        writer.write("")
        #expect(writer.count == 0)
    }

    @Test(arguments: [0, 3, 6], [1, 2, 100_000])
    func `a gap moves what follows`(offset: Int, extra: Int) {
        var writer = ByteWriter(capacity: 64)
        writer.write("abcdef")
        writer.openGap(at: offset, of: extra)
        for index in offset..<offset + extra {
            writer.patch(at: index, UInt8(ascii: "-"))
        }
        let text = "abcdef"
        let expected = text.prefix(offset) + String(repeating: "-", count: extra) + text.dropFirst(offset)
        #expect(Self.text(writer) == expected)
    }

    @Test func `bytes put where there is room are counted`() {
        var writer = ByteWriter(capacity: 64)
        writer.write("ab")
        let room = writer.reserve(100)
        room[0] = UInt8(ascii: "c")
        room[1] = UInt8(ascii: "d")
        writer.advance(by: 2)
        #expect(Self.text(writer) == "abcd")
    }

    @Test func `random integers come out as Swift writes them`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let value = Int64(truncatingIfNeeded: generator.next()) >> Int64.random(in: 0..<64, using: &generator)
            var writer = ByteWriter()
            writer.write(decimal: value)
            #expect(Self.text(writer) == String(value))
        }
    }
}
