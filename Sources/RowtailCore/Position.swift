// SPDX-License-Identifier: Apache-2.0

/// Where a row stands in its feed's order.
///
/// Positions of one feed are comparable; positions of different feeds mean nothing to each other. Every feed starts
/// at ``earliest``, which lies before any row whatever its id is, so that ids of zero and below need no special care.
package enum Position: Hashable, Sendable, Comparable {
    /// Before the first row.
    case earliest

    /// At the row with this value in the feed's watermark column.
    case integer(Int64)
}

extension Position: CustomStringConvertible {
    /// The position as it stands in an event id.
    package var description: String {
        switch self {
        case .earliest: "earliest"
        case .integer(let value): String(value)
        }
    }

    /// Reads a position from its text in an event id.
    ///
    /// - Returns: `nil` when the text is neither `earliest` nor a decimal number that fits `Int64`.
    package init?(_ text: some StringProtocol) {
        if text == "earliest" {
            self = .earliest
            return
        }
        // `Int64.init` takes a leading plus, which no event id has.
        guard text.utf8.first != UInt8(ascii: "+"), let value = Int64(text) else { return nil }
        self = .integer(value)
    }
}

extension Position {
    /// How far another position is ahead, for metrics: in numbers, not in rows; before the first row counts as 0.
    package func distance(to other: Position) -> Double {
        func number(_ position: Position) -> Double {
            if case .integer(let value) = position { Double(value) } else { 0 }
        }
        return max(0, number(other) - number(self))
    }
}
