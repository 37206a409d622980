// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One value of a position that is made of several: a watermark, or a column of the key.
///
/// Values are ordered as SQLite orders them with the BINARY collation: numbers, whatever their kind, before texts before
/// blobs (SQLite, "Datatypes In SQLite", section 4.1). Texts are bytes, as what stands in a file may be no UTF-8.
package enum KeyValue: Sendable {
    /// An INTEGER.
    case integer(Int64)

    /// A REAL; never NaN, which SQLite stores as NULL.
    case real(Double)

    /// The bytes of a TEXT.
    case text([UInt8])

    /// A BLOB.
    case blob([UInt8])
}

extension KeyValue: Comparable {
    /// Whether two values are one to SQLite: 1 and 1.0 are.
    package static func == (one: KeyValue, other: KeyValue) -> Bool {
        switch (one, other) {
        case (.integer(let left), .integer(let right)): left == right
        case (.text(let left), .text(let right)), (.blob(let left), .blob(let right)): left == right
        default: one.order(to: other) == 0
        }
    }

    /// Whether the first value comes first.
    package static func < (one: KeyValue, other: KeyValue) -> Bool {
        one.order(to: other) < 0
    }

    /// Negative when this comes first, 0 when both are equal.
    package func order(to other: KeyValue) -> Int {
        switch (self, other) {
        case (.integer(let left), .integer(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.real(let left), .real(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.integer(let left), .real(let right)): Self.order(left, right)
        case (.real(let left), .integer(let right)): -Self.order(right, left)
        case (.text(let left), .text(let right)), (.blob(let left), .blob(let right)): Self.order(left, right)
        default: rank < other.rank ? -1 : 1
        }
    }

    private var rank: Int {
        switch self {
        case .integer, .real: 0
        case .text: 1
        case .blob: 2
        }
    }

    /// Compares without rounding the integer, which has more digits than a REAL (sqlite3IntFloatCompare in vdbeaux.c).
    private static func order(_ integer: Int64, _ real: Double) -> Int {
        if real < -0x1p63 { return 1 }
        if real >= 0x1p63 { return -1 }
        let whole = Int64(real)
        if integer != whole { return integer < whole ? -1 : 1 }
        let rest = real - Double(whole)
        return rest > 0 ? -1 : rest < 0 ? 1 : 0
    }

    private static func order(_ left: [UInt8], _ right: [UInt8]) -> Int {
        let common = min(left.count, right.count)
        let order = left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                guard common > 0, let left = left.baseAddress, let right = right.baseAddress else { return 0 }
                return Int(memcmp(left, right, common))
            }
        }
        return order != 0 ? order : left.count - right.count
    }
}

extension KeyValue: Hashable {
    /// Feeds the value; numbers that are equal are fed alike.
    package func hash(into hasher: inout Hasher) {
        switch self {
        case .integer(let value): hasher.combine(value)
        case .real(let value):
            if let whole = Int64(exactly: value) { hasher.combine(whole) } else { hasher.combine(value) }
        case .text(let bytes): hasher.combine(bytes)
        case .blob(let bytes): hasher.combine(bytes)
        }
    }
}

extension KeyValue {
    /// The value as a number; `nil` for texts and blobs.
    package var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        case .text, .blob: nil
        }
    }

    /// The value in an event id: ASCII without `~`, `@`, `,`, `:` and spaces.
    ///
    /// Numbers are written as they are, texts percent-encoded (RFC 3986, section 2.1), blobs as `x'0a0b'`. A text that reads as
    /// a number has its first character encoded as well, so that the two are told apart.
    package var token: String {
        switch self {
        case .integer(let value): return String(value)
        case .real(let value): return value.description.replacing("+", with: "")
        case .blob(let bytes): return "x'\(Self.hex(bytes))'"
        case .text(let bytes):
            let token = Self.encoded(bytes)
            guard Self(number: token) != nil, let first = bytes.first else { return token }
            return "%\(Self.hex([first]))\(Self.encoded(Array(bytes.dropFirst())))"
        }
    }

    /// Reads a value from an event id.
    ///
    /// - Returns: `nil` when the text is none: it has an escape that is broken, or characters that need one.
    package init?(token: some StringProtocol) {
        if let number = Self(number: token) {
            self = number
            return
        }
        var rest = Array(token.utf8)[...]
        if rest.starts(with: Array("x'".utf8)) {
            guard rest.count.isMultiple(of: 2) == false, rest.last == UInt8(ascii: "'") else { return nil }
            rest = rest.dropFirst(2).dropLast()
            var bytes: [UInt8] = []
            while !rest.isEmpty {
                guard let byte = Self.byte(&rest) else { return nil }
                bytes.append(byte)
            }
            self = .blob(bytes)
            return
        }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                guard (0x21...0x7e).contains(byte) else { return nil }
                bytes.append(byte)
                continue
            }
            guard let value = Self.byte(&rest) else { return nil }
            bytes.append(value)
        }
        self = .text(bytes)
    }

    /// Reads digits with a sign, a fraction or an exponent, or an infinity as Swift writes it.
    private init?(number text: some StringProtocol) {
        guard let first = text.utf8.first else { return nil }
        let digits: ClosedRange<UInt8> = UInt8(ascii: "0")...UInt8(ascii: "9")
        if text == "inf" || text == "-inf" {
            self = .real(first == UInt8(ascii: "-") ? -.infinity : .infinity)
            return
        }
        let isNegative = first == UInt8(ascii: "-")
        guard let start = text.utf8.dropFirst(isNegative ? 1 : 0).first, digits.contains(start) else { return nil }
        if let value = Int64(text) {
            self = .integer(value)
            return
        }
        let allowed = text.utf8.allSatisfy { digits.contains($0) || ".e-".utf8.contains($0) }
        guard allowed, text.utf8.contains(where: { ".e".utf8.contains($0) }), let value = Double(text) else {
            return nil
        }
        self = .real(value)
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        bytes.reduce(into: "") { text, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                text += "%\(hex([byte]).uppercased())"
            }
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.reduce(into: "") { text, byte in
            text += String(byte >> 4, radix: 16)
            text += String(byte & 0xf, radix: 16)
        }
    }

    private static func byte(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let high = rest.popFirst(), let low = rest.popFirst(), let left = digit(high), let right = digit(low)
        else { return nil }
        return left << 4 | right
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Unicode.Scalar(byte).properties.isASCIIHexDigit ? UInt8(String(Unicode.Scalar(byte)), radix: 16) : nil
    }
}
