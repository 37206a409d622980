// SPDX-License-Identifier: Apache-2.0

package import Glibc

/// How often the service manager wants to hear that the process makes progress.
///
/// Whoever has it calls ``Notifier/watchdog()`` every ``interval``, as long as that is so. When nothing comes for the
/// whole ``timeout``, the manager kills the process and starts it anew.
///
/// Source: sd_watchdog_enabled(3).
package struct Watchdog: Sendable {
    /// The time without a word after which the process is killed; `nil` when nobody watches.
    package let timeout: Duration?

    /// Reads what the unit's `WatchdogSec=` became in the environment.
    ///
    /// - Parameters:
    ///   - environment: `WATCHDOG_USEC`, and `WATCHDOG_PID` when it is meant for one process. Values that are no numbers
    ///     count as not set.
    ///   - processID: The process that asks.
    package init(environment: [String: String], processID: pid_t = getpid()) {
        let isOurs = environment["WATCHDOG_PID"].map { pid_t($0) == processID } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap(Int64.init) ?? 0
        timeout = isOurs && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// The time between two words: half of the timeout, as sd_watchdog_enabled(3) recommends; `nil` when nobody watches.
    package var interval: Duration? { timeout.map { $0 / 2 } }
}
