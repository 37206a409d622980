// SPDX-License-Identifier: Apache-2.0

/// What can be told of a compressed stream without unpacking it.
enum Compression {
    /// The fewest bytes that a first frame can be packed into; the heads of the formats alone are shorter.
    ///
    /// gzip takes 18 bytes around what it packs, and a first frame has a number and an id that no format foresees.
    static let leastOfFrame = 32

    /// When the first frame can have been there, `nil` if not yet.
    static func firstFrame(_ exchange: Exchange) -> Duration? {
        var bytes = 0
        for read in exchange.reads {
            bytes += read.bytes
            if bytes >= leastOfFrame { return read.at }
        }
        return nil
    }
}
