// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Tells one run of this machine, from its start to its end, from every other.
///
/// What a process wrote outlives the process, but not always the machine: after a power cut the newest commits of a database
/// that isn't synced at each (`synchronous` below `FULL`) may be gone.
///
/// Source: random(4), `boot_id`; SQLite, "PRAGMA synchronous".
package enum MachineRun {
    /// The run that this is; `nil` where nobody can tell.
    package static let current: String? = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.flatMap { $0.isEmpty ? nil : $0 }
    }()
}
