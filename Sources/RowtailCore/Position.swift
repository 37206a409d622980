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

    /// At the row with this watermark and this key.
    case row(RowPosition)
}

/// A watermark and what tells apart the rows that share it: where a row stands in `updated` mode.
package struct RowPosition: Hashable, Sendable {
    /// The watermark and the values of the key's columns, in order.
    package let values: [KeyValue]

    /// Names a row by its watermark and at least one value of its key.
    package init(_ values: [KeyValue]) {
        self.values = values
    }

    /// The value of the watermark column.
    package var watermark: KeyValue { values[0] }

    /// The values of the key's columns.
    package var key: ArraySlice<KeyValue> { values.dropFirst() }
}

extension RowPosition: Comparable {
    /// Whether the first stands before the second: column by column, as SQLite compares row values.
    package static func < (one: RowPosition, other: RowPosition) -> Bool {
        for (left, right) in zip(one.values, other.values) {
            let order = left.order(to: right)
            if order != 0 { return order < 0 }
        }
        return one.values.count < other.values.count
    }
}

extension Position: CustomStringConvertible {
    /// The position as it stands in an event id.
    package var description: String {
        switch self {
        case .earliest: "earliest"
        case .integer(let value): String(value)
        case .row(let row): row.values.map(\.token).joined(separator: "~")
        }
    }

    /// Reads a position from its text in an event id.
    ///
    /// - Returns: `nil` when the text is neither `earliest`, nor a decimal number that fits `Int64`, nor values between `~`.
    package init?(_ text: some StringProtocol) {
        if text == "earliest" {
            self = .earliest
            return
        }
        if text.utf8.contains(UInt8(ascii: "~")) {
            var values: [KeyValue] = []
            for part in text.split(separator: "~", omittingEmptySubsequences: false) {
                guard let value = KeyValue(token: part) else { return nil }
                values.append(value)
            }
            self = .row(RowPosition(values))
            return
        }
        // `Int64.init` takes a leading plus, which no event id has.
        guard text.utf8.first != UInt8(ascii: "+"), let value = Int64(text) else { return nil }
        self = .integer(value)
    }
}

extension Position {
    /// The position as a number, for metrics; `nil` before the first row and where the watermark is a text.
    package var number: Double? {
        switch self {
        case .earliest: nil
        case .integer(let value): Double(value)
        case .row(let row): row.watermark.number
        }
    }

    /// How far another position is ahead, for metrics: in numbers, not in rows; before the first row counts as 0.
    package func distance(to other: Position) -> Double {
        max(0, (other.number ?? 0) - (number ?? 0))
    }

    /// Whether a feed of this mode may give the position out.
    package func fits(_ mode: FeedMode) -> Bool {
        switch self {
        case .earliest: true
        case .integer: mode != .updated
        case .row: mode == .updated
        }
    }
}
