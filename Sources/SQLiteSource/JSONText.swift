// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

extension ByteWriter {
    /// Writes UTF-8 text as a JSON string (RFC 8259, section 7), on one line.
    ///
    /// Bytes that are no UTF-8 become U+FFFD, one for each maximal part of a sequence (Unicode 15, section 3.9, "best
    /// practice"), as SQLite stores any bytes as TEXT.
    package mutating func write(jsonString text: UnsafeRawBufferPointer) {
        write(UInt8(ascii: "\""))
        writeText(text, escaping: true)
        write(UInt8(ascii: "\""))
    }

    /// Writes text that is JSON already, on one line, with bytes that are no UTF-8 replaced.
    package mutating func write(json text: UnsafeRawBufferPointer) {
        writeText(text, escaping: false)
    }

    private mutating func writeText(_ text: UnsafeRawBufferPointer, escaping: Bool) {
        var clean = 0
        var at = 0
        while true {
            at = Self.plainEnd(of: text, from: at, escaping: escaping)
            guard at < text.count else { break }
            let byte = text[at]
            if byte < 0x80 {
                if escaping, byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    write(UnsafeRawBufferPointer(rebasing: text[clean..<at]))
                    writeEscape(byte)
                    clean = at + 1
                }
                at += 1
                continue
            }
            let (length, isValid) = Self.sequence(in: text, at: at)
            if !isValid {
                write(UnsafeRawBufferPointer(rebasing: text[clean..<at]))
                write("\u{FFFD}")
                clean = at + length
            }
            at += length
        }
        write(UnsafeRawBufferPointer(rebasing: text[clean..<at]))
    }

    /// Where the next byte is that may not be copied as it is, or up to seven bytes before the end.
    ///
    /// Eight bytes at a time: in each of them the highest bit of `found` is set where it is outside ASCII, a control
    /// character, a quote or a backslash. The lowest one set is exact, a borrow only spoils those above it.
    private static func plainEnd(of text: UnsafeRawBufferPointer, from start: Int, escaping: Bool) -> Int {
        let (ones, highs): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        let (quotes, backslashes) = (ones &* UInt64(UInt8(ascii: "\"")), ones &* UInt64(UInt8(ascii: "\\")))
        var at = start
        while at + 8 <= text.count {
            let bytes = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            var found = bytes
            if escaping {
                let (quote, backslash) = (bytes ^ quotes, bytes ^ backslashes)
                found |= (bytes &- ones &* 0x20) & ~bytes
                found |= ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            }
            found &= highs
            guard found == 0 else { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        return at
    }

    private mutating func writeEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): write("\\\"")
        case UInt8(ascii: "\\"): write("\\\\")
        case UInt8(ascii: "\n"): write("\\n")
        case UInt8(ascii: "\r"): write("\\r")
        case UInt8(ascii: "\t"): write("\\t")
        default:
            write("\\u00")
            write(UInt8(ascii: "0") + (byte >> 4))
            let low = byte & 0xf
            write(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }

    /// The length of the sequence that begins at a byte of 0x80 or more, and whether it is well formed
    /// (Unicode 15, table 3-7).
    private static func sequence(in text: UnsafeRawBufferPointer, at start: Int) -> (length: Int, isValid: Bool) {
        let lead = text[start]
        var second: ClosedRange<UInt8> = 0x80...0xBF
        let length: Int
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return (1, false)
        }
        for offset in 1..<length {
            guard start + offset < text.count else { return (offset, false) }
            guard (offset == 1 ? second : 0x80...0xBF).contains(text[start + offset]) else { return (offset, false) }
        }
        return (length, true)
    }

    /// Writes bytes as a JSON string in base64 (RFC 4648, section 4).
    package mutating func write(base64 bytes: UnsafeRawBufferPointer) {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let digits = alphabet.utf8Start
        let length = (bytes.count + 2) / 3 * 4 + 2
        let target = reserve(length)
        var to = 0
        func put(_ byte: UInt8) {
            target[to] = byte
            to += 1
        }
        put(UInt8(ascii: "\""))
        var at = 0
        while at < bytes.count {
            let left = bytes.count - at
            let first = bytes[at]
            let second = left > 1 ? bytes[at + 1] : 0
            let third = left > 2 ? bytes[at + 2] : 0
            put(digits[Int(first >> 2)])
            put(digits[Int(first << 4 & 0x30 | second >> 4)])
            put(left > 1 ? digits[Int(second << 2 & 0x3C | third >> 6)] : UInt8(ascii: "="))
            put(left > 2 ? digits[Int(third & 0x3F)] : UInt8(ascii: "="))
            at += 3
        }
        put(UInt8(ascii: "\""))
        advance(by: length)
    }
}
