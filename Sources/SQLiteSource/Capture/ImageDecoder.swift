// SPDX-License-Identifier: Apache-2.0

import Glibc
import RowtailCore

/// Reads images, as ``ImageSQL`` writes them, value by value, without copying what needs no change.
struct ImageDecoder: ~Copyable {
    /// One value of an image; its bytes are valid until the next one is read.
    enum Value {
        case null
        case integer(Int64)
        case real(Double)
        /// A text in UTF-8.
        case text(UnsafeRawBufferPointer)
        case blob(UnsafeRawBufferPointer)
    }

    /// What an image can't be read for.
    enum Failure: Error {
        /// The row had too many bytes to be logged, this many.
        case oversize(Int)
        /// Nothing that the triggers write.
        case malformed
    }

    /// How a database keeps its texts.
    enum Encoding: String {
        case utf8 = "UTF-8"
        case utf16LittleEndian = "UTF-16le"
        case utf16BigEndian = "UTF-16be"
    }

    private let encoding: Encoding
    private var image = UnsafeRawBufferPointer(start: nil, count: 0)
    private var position = 0
    /// Where each value begins.
    private var starts: [Int] = []
    // For texts with quotes inside and for blobs; grows to the largest of them.
    private var scratch = ByteWriter(capacity: 256)

    /// A decoder for a database with an encoding, `PRAGMA encoding`.
    init(encoding: Encoding) {
        self.encoding = encoding
    }

    /// How many values the image has.
    var count: Int { starts.count }

    /// Finds the values of an image, which must be followed by a NUL, as SQLite's texts are, and stay where it is.
    ///
    /// - Throws: ``Failure/oversize(_:)`` when there is only the row's size.
    mutating func start(_ image: UnsafeRawBufferPointer) throws(Failure) {
        self.image = image
        position = 0
        starts.removeAll(keepingCapacity: true)
        if image.first == UInt8(ascii: "O") {
            position = 1
            guard case .integer(let bytes) = try number() else { throw .malformed }
            throw .oversize(Int(bytes))
        }
        repeat {
            starts.append(position)
            try skip()
            guard position == image.count || byte(at: position) == UInt8(ascii: ",") else { throw .malformed }
            position += 1
        } while position <= image.count
    }

    /// Reads a value.
    mutating func value(_ index: Int) throws(Failure) -> Value {
        position = starts[index]
        return try nextValue()
    }

    private func byte(at offset: Int) -> UInt8 {
        offset < image.count ? image[offset] : 0
    }

    /// The offset of the next such byte.
    private func find(_ byte: UInt8, from start: Int) -> Int? {
        guard let base = image.baseAddress, start < image.count,
            let found = memchr(base + start, Int32(byte), image.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private func begins(_ index: Int, with first: UInt8) -> Bool {
        byte(at: starts[index]) == first
    }

    /// Goes to the end of a value without reading it.
    private mutating func skip() throws(Failure) {
        let quote = UInt8(ascii: "'")
        switch byte(at: position) {
        case quote, UInt8(ascii: "X"), UInt8(ascii: "T"):
            guard var at = find(quote, from: position) else { throw .malformed }
            repeat {
                guard let closing = find(quote, from: at + 1) else { throw .malformed }
                at = closing + 1
            } while byte(at: at) == quote
            position = at
        default:
            position = find(UInt8(ascii: ","), from: position) ?? image.count
        }
    }

    private mutating func nextValue() throws(Failure) -> Value {
        switch byte(at: position) {
        case UInt8(ascii: "'"):
            return .text(try quoted())
        case UInt8(ascii: "N"):
            guard image.count - position >= 4 else { throw .malformed }
            position += 4
            return .null
        case UInt8(ascii: "X"):
            return .blob(try hexadecimal())
        case UInt8(ascii: "T"):
            position += 1
            return .text(try text(hexadecimal()))
        default:
            return try number()
        }
    }

    // MARK: - Numbers

    private mutating func number() throws(Failure) -> Value {
        var end = position
        let isNegative = byte(at: end) == UInt8(ascii: "-")
        if isNegative { end += 1 }
        let digits = end
        var magnitude: UInt64 = 0
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte(at: end)), end - digits < 20 {
            magnitude = magnitude &* 10 &+ UInt64(byte(at: end) - UInt8(ascii: "0"))
            end += 1
        }
        if end > digits, end == image.count || byte(at: end) == UInt8(ascii: ",") {
            position = end
            return .integer(Int64(truncatingIfNeeded: isNegative ? 0 &- magnitude : magnitude))
        }
        let value = try real()
        guard byte(at: position) == UInt8(ascii: "&") else { return .real(value) }
        position += 1
        guard byte(at: position) != UInt8(ascii: "N") else {
            position += 4
            return .real(value)
        }
        let lower = Self.rounded(try real())
        let exact = [value, value.nextDown, value.nextUp].first { Self.lowerHalf($0) == lower }
        guard let exact else { throw .malformed }
        return .real(exact)
    }

    /// What ``ImageSQL`` writes after a number.
    private static func lowerHalf(_ value: Double) -> Double {
        let product = value * 134_217_729
        return value - (product - (product - value))
    }

    /// Reads digits, a sign, an exponent, `Inf`: all that `quote()` writes of a REAL, by `strtod`, which is exact.
    private mutating func real() throws(Failure) -> Double {
        guard let start = image.baseAddress, position < image.count else { throw .malformed }
        let text = (start + position).assumingMemoryBound(to: CChar.self)
        var end: UnsafeMutablePointer<CChar>?
        let value = strtod(text, &end)
        guard let end, end > UnsafeMutablePointer(mutating: text) else { throw .malformed }
        position += end - UnsafeMutablePointer(mutating: text)
        guard position <= image.count else { throw .malformed }
        return value
    }

    /// A number of at most 27 bits, from one that is close to it.
    private static func rounded(_ value: Double) -> Double {
        guard value.isFinite, value != 0 else { return value }
        let shift = 29 - Int(value.exponent)
        return scalbn(scalbn(value, Int32(shift)).rounded(), Int32(-shift))
    }

    // MARK: - Bytes

    /// Reads up to the closing quote; only a text with quotes inside is copied.
    private mutating func quoted() throws(Failure) -> UnsafeRawBufferPointer {
        let quote = UInt8(ascii: "'")
        let start = position + 1
        guard var at = find(quote, from: start) else { throw .malformed }
        guard byte(at: at + 1) == quote else {
            position = at + 1
            return UnsafeRawBufferPointer(rebasing: image[start..<at])
        }
        scratch.truncate(to: 0)
        var from = start
        while byte(at: at + 1) == quote {
            scratch.write(UnsafeRawBufferPointer(rebasing: image[from...at]))
            from = at + 2
            guard let next = find(quote, from: from) else { throw .malformed }
            at = next
        }
        scratch.write(UnsafeRawBufferPointer(rebasing: image[from..<at]))
        position = at + 1
        return scratch.bytes
    }

    private mutating func hexadecimal() throws(Failure) -> UnsafeRawBufferPointer {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        guard byte(at: position) == UInt8(ascii: "X"), byte(at: position + 1) == UInt8(ascii: "'") else {
            throw .malformed
        }
        position += 2
        scratch.truncate(to: 0)
        while let high = digit(byte(at: position)), let low = digit(byte(at: position + 1)) {
            scratch.write(high << 4 | low)
            position += 2
        }
        guard byte(at: position) == UInt8(ascii: "'") else { throw .malformed }
        position += 1
        return scratch.bytes
    }

    /// The UTF-8 of a text in the database's encoding.
    private mutating func text(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> UnsafeRawBufferPointer {
        guard encoding != .utf8 else { return bytes }
        let units = stride(from: 0, to: bytes.count - 1, by: 2).map { at in
            let (first, second) = (UInt32(bytes[at]), UInt32(bytes[at + 1]))
            return encoding == .utf16LittleEndian ? first | second << 8 : second | first << 8
        }
        scratch.truncate(to: 0)
        var index = 0
        while index < units.count {
            var code = units[index]
            index += 1
            if (0xD800..<0xE000).contains(code), index < units.count {
                // Whatever follows is the second half, as in SQLite's own reading (utf.c, READ_UTF16LE).
                code = (units[index] & 0x3FF) + ((code & 0x3F) << 10) + (((code & 0x3C0) + 0x40) << 10)
                index += 1
            }
            writeUTF8(code)
        }
        return scratch.bytes
    }

    private mutating func writeUTF8(_ code: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(code >> shift & 0x3F) }
        switch code {
        case ..<0x80:
            scratch.write(UInt8(code))
        case ..<0x800:
            scratch.write([0xC0 | UInt8(code >> 6), tail(0)])
        case ..<0x10000:
            scratch.write([0xE0 | UInt8(code >> 12), tail(6), tail(0)])
        default:
            scratch.write([0xF0 | UInt8(code >> 18 & 0x07), tail(12), tail(6), tail(0)])
        }
    }

    // MARK: - Names

    /// The names in a list of quoted texts; none for one that can't be read.
    static func names(_ list: String?) -> [String] {
        var list = list ?? ""
        return list.withUTF8 { bytes in
            var decoder = ImageDecoder(encoding: .utf8)
            guard bytes.first == UInt8(ascii: "'"), (try? decoder.start(UnsafeRawBufferPointer(bytes))) != nil else {
                return []
            }
            var names: [String] = []
            for index in 0..<decoder.count {
                // Nothing but a quoted text: the bytes have no NUL after them, at which a number would end.
                guard decoder.begins(index, with: UInt8(ascii: "'")), case .text(let name)? = try? decoder.value(index)
                else { return [] }
                names.append(String(decoding: name, as: UTF8.self))
            }
            return names
        }
    }
}
