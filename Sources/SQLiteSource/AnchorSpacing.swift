// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How far back from the head anchors stand.
enum AnchorSpacing {
    /// At most ``Anchor/limit`` distances that grow exponentially from 0 to `span`, each at least 1 more than the last.
    ///
    /// The ratio follows from the span: the newest rows, where a restored copy is likely to part, are covered without a
    /// gap, and the oldest row is always among them.
    static func distances(span: UInt64) -> [UInt64] {
        let steps = 31
        var distances: [UInt64] = [0]
        for step in 1...steps {
            guard let last = distances.last, last < span else { break }
            let wanted = step == steps ? Double(span) : pow(Double(span), Double(step) / Double(steps))
            distances.append(min(span, max(last + 1, wanted < 0x1p63 ? UInt64(wanted) : span)))
        }
        return distances
    }
}
