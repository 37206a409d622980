// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// HTTP/1.1 chunks (RFC 9112, section 7.1).
package enum ChunkFraming {
    /// The chunk that ends a body in order; without it, every client sees that the body was cut.
    package static let end = "0\r\n\r\n"

    // Four digits hold any usual event, so that the size line is written before the size is known. Leading zeros are
    // allowed by the grammar (1*HEXDIG).
    private static let digits = 4

    /// Writes room for a chunk's size line.
    ///
    /// - Returns: Where the chunk begins, for ``close(_:from:)``.
    package static func open(in writer: inout ByteWriter) -> Int {
        let start = writer.count
        writer.write("0000\r\n")
        return start
    }

    /// Completes the size line and ends the chunk.
    package static func close(_ writer: inout ByteWriter, from start: Int) {
        let size = writer.count - start - digits - 2
        var width = digits
        var rest = size >> (4 * digits)
        while rest > 0 {
            width += 1
            rest >>= 4
        }
        if width > digits {
            writer.openGap(at: start + digits, of: width - digits)
        }
        rest = size
        for place in (0..<width).reversed() {
            let digit = UInt8(rest & 0xf)
            writer.patch(at: start + place, digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            rest >>= 4
        }
        writer.write("\r\n")
    }

    /// A chunk of a frame that one client gets.
    package static func chunk(_ text: String) -> String {
        head(text.utf8.count) + text + tail
    }

    /// What comes before so many bytes to make them a chunk.
    package static func head(_ count: Int) -> String {
        "\(String(count, radix: 16))\r\n"
    }

    /// What comes after the bytes of a chunk.
    package static let tail = "\r\n"

    /// Takes the chunk framing off a run of whole chunks, for HTTP/1.0 clients, which know no chunks.
    package static func unframed(_ chunks: UnsafeRawBufferPointer) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(chunks.count)
        var at = 0
        while at < chunks.count {
            var size = 0
            while chunks[at] != UInt8(ascii: "\r") {
                let digit = chunks[at]
                size =
                    size << 4
                    | Int(digit <= UInt8(ascii: "9") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10)
                at += 1
            }
            at += 2
            plain.append(contentsOf: chunks[at..<at + size])
            at += size + 2
        }
        return plain
    }
}
