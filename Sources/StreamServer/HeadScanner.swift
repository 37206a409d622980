// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore

/// Finds the end of a request's head in bytes that come in pieces, and looks at each byte once.
///
/// Else a head that comes byte by byte would cost the square of its length.
struct HeadScanner {
    /// Where the line begins whose end wasn't there yet.
    private var lineStart = 0
    private var scanned = 0

    /// The length of the head at the front, up to and including its empty line; `nil` when there is more to come.
    ///
    /// The bytes must be those of the time before, with others behind them. After a head was found it is the next one's turn.
    mutating func headLength(_ buffer: ByteBuffer) -> Int? {
        buffer.withUnsafeReadableBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            while let feed = memchr(base + scanned, CInt(UInt8(ascii: "\n")), bytes.count - scanned) {
                let end = UnsafeRawPointer(feed) - base
                let length = end - lineStart
                guard length > 0, length > 1 || bytes[lineStart] != UInt8(ascii: "\r") else {
                    self = HeadScanner()
                    return end + 1
                }
                lineStart = end + 1
                scanned = lineStart
            }
            scanned = bytes.count
            return nil
        }
    }
}
