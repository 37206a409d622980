// SPDX-License-Identifier: Apache-2.0

/// A JSON value of which nothing is rounded or made alike: `1` is not `1.0`, and text is compared by its bytes.
///
/// Swift compares strings by what they look like, so that `é` in one character and in two would be one key.
indirect enum ExactJSON: Hashable, Sendable {
    case null
    case integer(Int64)
    /// Equal to the last bit, but for the sign of zero, which no expression of SQL can see.
    case real(Double)
    case text([UInt8])
    /// Names and values in order.
    case object([Field])

    struct Field: Hashable, Sendable {
        var name: String
        var value: ExactJSON
    }

    /// What is not JSON, or has arrays or truth values, which no row has.
    struct Malformed: Error, CustomStringConvertible {
        var description: String
    }

    /// Reads a whole text.
    init(_ text: some StringProtocol) throws {
        var reader = JSONReader(bytes: Array(text.utf8))
        self = try reader.value()
        try reader.end()
    }

    /// A field of an object.
    subscript(name: String) -> ExactJSON? {
        guard case .object(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }
}

extension ExactJSON: CustomStringConvertible {
    var description: String {
        switch self {
        case .null: "null"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let bytes): String(decoding: bytes, as: UTF8.self).debugDescription
        case .object(let fields): "{" + fields.map { "\($0.name): \($0.value)" }.joined(separator: ", ") + "}"
        }
    }
}

/// Reads JSON from its bytes.
private struct JSONReader {
    let bytes: [UInt8]
    private var at = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private func malformed() -> ExactJSON.Malformed {
        ExactJSON.Malformed(description: "not JSON at byte \(at): \(String(decoding: bytes, as: UTF8.self))")
    }

    private mutating func peek() throws -> UInt8 {
        while at < bytes.count, bytes[at] == UInt8(ascii: " ") { at += 1 }
        guard at < bytes.count else { throw malformed() }
        return bytes[at]
    }

    private mutating func take(_ character: Unicode.Scalar) throws {
        guard try peek() == UInt8(ascii: character) else { throw malformed() }
        at += 1
    }

    func end() throws {
        guard at == bytes.count else { throw malformed() }
    }

    mutating func value() throws -> ExactJSON {
        switch try peek() {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "\""): return .text(try text())
        case UInt8(ascii: "n"):
            guard bytes[at...].starts(with: "null".utf8) else { throw malformed() }
            at += 4
            return .null
        default: return try number()
        }
    }

    private mutating func object() throws -> ExactJSON {
        var fields: [ExactJSON.Field] = []
        repeat {
            at += 1
            let name = String(decoding: try text(), as: UTF8.self)
            try take(":")
            fields.append(ExactJSON.Field(name: name, value: try value()))
        } while try peek() == UInt8(ascii: ",")
        try take("}")
        return .object(fields)
    }

    private mutating func number() throws -> ExactJSON {
        let start = at
        while at < bytes.count, "+-.0123456789Ee".utf8.contains(bytes[at]) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if let value = Int64(text) { return .integer(value) }
        guard text.contains(where: { ".eE".contains($0) }), let value = Double(text) else { throw malformed() }
        return .real(value)
    }

    private mutating func text() throws -> [UInt8] {
        try take("\"")
        var text: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): text += try escape()
            case ..<0x20: throw malformed()
            default: text.append(byte)
            }
        }
        throw malformed()
    }

    private mutating func escape() throws -> [UInt8] {
        let letter = try peek()
        at += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var units = [try unit()]
            if UTF16.isLeadSurrogate(units[0]) {
                try take("\\")
                try take("u")
                units.append(try unit())
            }
            return Array(String(decoding: units, as: UTF16.self).utf8)
        default: throw malformed()
        }
    }

    private mutating func unit() throws -> UInt16 {
        guard at + 4 <= bytes.count,
            let value = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw malformed() }
        at += 4
        return value
    }
}
