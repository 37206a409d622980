// SPDX-License-Identifier: Apache-2.0

import RowtailCore
package import SQLiteSource
import Synchronization

/// A clock that stands still until it is set.
package final class SetClock: Sendable {
    private let time: Mutex<UnixTime>

    /// A clock that shows so many seconds since 1970.
    package init(seconds: Double = 1_700_000_000) {
        time = Mutex(UnixTime(microseconds: Int64(seconds * 1e6)))
    }

    /// The time that it shows, in seconds since 1970.
    package var seconds: Double {
        get { Double(time.withLock { $0.microseconds }) / 1e6 }
        set { time.withLock { $0.microseconds = Int64((newValue * 1e6).rounded()) } }
    }

    /// The clock as a poller takes it.
    package var clock: WallClock {
        WallClock { self.time.withLock { $0 } }
    }
}
