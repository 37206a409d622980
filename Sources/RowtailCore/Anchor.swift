// SPDX-License-Identifier: Apache-2.0

/// A position and a hash of each column of the row there: what proves that a file still holds the history served.
package struct Anchor: Hashable, Sendable {
    /// How many anchors a feed keeps at most.
    package static let limit = 32

    /// Where the row stands.
    package var position: Position

    /// The hash of each column's value by the column's name, the key aside.
    package var columns: [String: UInt64]

    /// Remembers a row.
    package init(position: Position, columns: [String: UInt64]) {
        self.position = position
        self.columns = columns
    }

    /// Whether the row found at this position is the one remembered.
    ///
    /// It is when more than half of the columns that both know are unchanged, as rows get updated and columns get added,
    /// and one that tells rows apart is among them: a status, a currency or NULL is the same in many rows. A row that had
    /// nothing but its key is known by that alone.
    ///
    /// - Parameters:
    ///   - found: The hashed columns of the row that is there now.
    ///   - telling: The names of the columns whose value here no other row that is remembered has.
    /// - Returns: Whether it is the same row.
    package func holds(_ found: [String: UInt64], telling: Set<String>) -> Bool {
        guard !columns.isEmpty else { return true }
        var common = 0
        var unchanged = 0
        var canTell = false
        var tells = false
        for (name, hash) in columns {
            guard let other = found[name] else { continue }
            let isTelling = telling.contains(name)
            common += 1
            canTell = canTell || isTelling
            if other == hash {
                unchanged += 1
                tells = tells || isTelling
            }
        }
        return unchanged * 2 > common && (tells || !canTell)
    }
}

/// A 64-bit FNV-1a hash, the same in every process and version, as anchors outlive both.
///
/// Source: draft-eastlake-fnv, 64-bit FNV-1a.
package struct StableHash: Sendable {
    /// The hash of what was fed so far.
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    /// Starts with nothing fed.
    package init() {}

    /// Feeds one byte.
    package mutating func feed(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }

    /// Feeds bytes in order.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            feed(byte)
        }
    }

    /// Feeds an integer, least significant byte first.
    package mutating func feed(_ integer: UInt64) {
        var rest = integer
        for _ in 0..<8 {
            feed(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}
