// SPDX-License-Identifier: Apache-2.0

/// Durations counted in fixed buckets, as Prometheus wants them.
package struct Histogram: Sendable {
    /// The upper bounds of the buckets in seconds; one more bucket takes the rest.
    package static let bounds: [Double] = [
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// How many durations fell into each bucket.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)

    /// The sum of all durations in seconds.
    package private(set) var sum = 0.0

    /// A histogram of nothing.
    package init() {}

    /// Counts one duration.
    package mutating func record(_ duration: Duration) {
        let seconds = duration / .seconds(1)
        sum += seconds
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
    }

    /// Adds what another histogram counted.
    package mutating func merge(_ other: Histogram) {
        sum += other.sum
        for index in counts.indices {
            counts[index] += other.counts[index]
        }
    }
}
