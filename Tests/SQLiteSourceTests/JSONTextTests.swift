// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import SQLiteSource
import Testing

/// Text is looked at eight bytes at a time: whatever stands where in such eight must not matter.
struct JSONTextTests {
    private static func json(_ bytes: [UInt8]) -> String {
        var writer = ByteWriter()
        bytes.withUnsafeBytes { writer.write(jsonString: $0) }
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func text(_ json: String) throws -> String {
        try JSONDecoder().decode(String.self, from: Data(json.utf8))
    }

    @Test func `each byte at each place of a text is written so that it reads back`() throws {
        for byte in UInt8(0)...0x7F {
            for length in 1...17 {
                for place in 0..<length {
                    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    bytes[place] = byte
                    let json = Self.json(bytes)
                    guard try Self.text(json) == String(decoding: bytes, as: UTF8.self) else {
                        Issue.record("byte \(byte) at \(place) of \(length): \(json)")
                        return
                    }
                    let isEscaped = byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                    if isEscaped == json.utf8.dropFirst().dropLast().elementsEqual(bytes) {
                        Issue.record("byte \(byte) at \(place) of \(length): \(json)")
                        return
                    }
                }
            }
        }
    }

    @Test func `any bytes become the text that Swift makes of them`() throws {
        var generator = SystemRandomNumberGenerator()
        let kinds: [[UInt8]] = [
            Array("x\"\\\n".utf8), Array("é€🦀".utf8), [0x80, 0xFF, 0xC3], [0x1F, 0x20, 0x21, 0x7F],
            Array("abcdefgh".utf8),
        ]
        for _ in 0..<3000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                bytes += kinds[Int.random(in: 0..<kinds.count, using: &generator)]
                bytes.removeLast(Int.random(in: 0...2, using: &generator))
            }
            let json = Self.json(bytes)
            guard try Self.text(json) == String(decoding: bytes, as: UTF8.self) else {
                Issue.record("\(bytes): \(json)")
                return
            }
        }
    }
}
