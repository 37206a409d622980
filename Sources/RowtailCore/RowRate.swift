// SPDX-License-Identifier: Apache-2.0

/// How many rows came in each five seconds of the last five minutes.
///
/// A ring that is allocated once: counting allocates nothing, and what is older than it reaches is forgotten.
package struct RowRate: Sendable {
    /// The seconds that are counted together.
    package static let seconds = 5

    /// How many counts are kept, besides the one that grows.
    package static let length = 60

    /// What stands for "some, nobody knows how many".
    private static let unknown = UInt32.max

    private let begin: ContinuousClock.Instant
    private var counts = [UInt32](repeating: 0, count: length + 1)
    /// The number of the count that grows, from 0 at the beginning.
    private var newest = 0

    /// Counts from now on.
    package init(at begin: ContinuousClock.Instant = .now) {
        self.begin = begin
    }

    private func number(at now: ContinuousClock.Instant) -> Int {
        max(newest, Int((now - begin) / .seconds(Self.seconds)))
    }

    /// Counts rows; `nil` where there are some and nobody knows how many.
    package mutating func count(_ rows: Int?, at now: ContinuousClock.Instant = .now) {
        let current = number(at: now)
        for passed in max(newest, current - counts.count) + 1..<current + 1 { counts[passed % counts.count] = 0 }
        newest = current
        let index = current % counts.count
        guard let rows, counts[index] != Self.unknown else {
            counts[index] = Self.unknown
            return
        }
        counts[index] = UInt32(clamping: min(Int(counts[index]) + min(rows, 1 << 31), Int(Self.unknown) - 1))
    }

    /// What was counted, oldest first, without the five seconds that aren't over.
    ///
    /// - Returns: ``length`` counts; `nil` before the beginning, and where nobody knows.
    package func counts(at now: ContinuousClock.Instant = .now) -> [Int?] {
        let current = number(at: now)
        return (current - Self.length..<current).map { number in
            guard number >= 0 else { return nil }
            guard number <= newest else { return 0 }
            let count = counts[number % counts.count]
            return count == Self.unknown ? nil : Int(count)
        }
    }
}
