// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The time of day, for figures that people read; nothing is decided by it.
enum WallClock {
    /// Seconds since 1970.
    static func secondsSince1970() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
