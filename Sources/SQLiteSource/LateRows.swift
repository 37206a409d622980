// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Finds rows that turn up before the watermark after it passed their place: nobody who follows gets them.
///
/// The newest rows before the watermark are remembered; one among them later that wasn't there is late. Rows that leave,
/// as they are updated or deleted, are none of its business.
struct LateRows {
    /// How many rows are remembered: ones that are later than that are not found.
    static let window = 1000

    private var known: Set<Position>?
    private var start = Position.earliest

    /// Forgets everything, as after a break.
    mutating func forget() {
        known = nil
    }

    /// Counts the rows that were not there when the watermark passed.
    ///
    /// `rows` are the newest rows up to the watermark that was remembered, at most ``window``.
    func count(in rows: [Position]) -> Int {
        guard let known else { return 0 }
        return rows.count { $0 >= start && !known.contains($0) }
    }

    /// Remembers the newest rows up to a watermark, newest first, at most ``window``.
    mutating func remember(_ rows: [Position]) {
        known = Set(rows)
        // With fewer than that there are no others, and everything that comes before them is late as well.
        start = rows.count < Self.window ? .earliest : rows.last ?? .earliest
    }
}
