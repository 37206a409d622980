// SPDX-License-Identifier: Apache-2.0

import RowtailCore

// How numbers are written in every event, whatever they are read from; for texts and blobs see JSONText.swift.
extension ByteWriter {
    /// Writes an INTEGER as a JSON number, or as a string.
    mutating func write(jsonInteger value: Int64, as format: IntegerFormat) {
        switch format {
        case .number:
            write(decimal: value)
        case .string:
            write(UInt8(ascii: "\""))
            write(decimal: value)
            write(UInt8(ascii: "\""))
        }
    }

    /// Writes a REAL as the shortest JSON number that reads back the same, an infinity as a string.
    mutating func write(jsonReal value: Double) {
        if value.isFinite {
            write(text: value.description)
        } else {
            write(value > 0 ? "\"Infinity\"" : "\"-Infinity\"")
        }
    }
}

/// The names of an object's fields as they stand before its values: `{"id":`, then `,"total":`.
struct FieldNames: Sendable {
    /// Where ``bytes`` has each of them.
    let ranges: [Range<Int>]
    /// All of them, one after another: nothing is retained for a field of a row.
    let bytes: [UInt8]

    /// Writes names as JSON strings.
    init(_ names: [String]) {
        var writer = ByteWriter(capacity: 1024)
        ranges = names.map { name in
            let start = writer.count
            writer.write(start == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
            var name = name
            name.withUTF8 { writer.write(jsonString: UnsafeRawBufferPointer($0)) }
            writer.write(UInt8(ascii: ":"))
            return start..<writer.count
        }
        bytes = Array(writer.bytes)
    }
}
