// SPDX-License-Identifier: Apache-2.0

import Glibc
package import RowtailCore

/// The time of day: what the times in rows are compared with, and what people read.
package struct WallClock: Sendable {
    private let read: @Sendable () -> UnixTime

    /// A clock that tells what a closure says.
    package init(_ read: @escaping @Sendable () -> UnixTime) {
        self.read = read
    }

    /// The system's clock.
    package static let system = WallClock {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UnixTime(microseconds: Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)
    }

    /// The time now.
    package var now: UnixTime { read() }
}
