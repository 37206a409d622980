// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The memory that only starting up needed.
package enum StartupMemory {
    /// Unmaps the pages of the program's code; those that are needed again are mapped again, from the page cache.
    ///
    /// Relocating, reading the configuration and making the runtime's tables touch most of the code once, and the kernel
    /// counts it as resident for ever after. Only mappings that are executable and were never writable are named: nothing
    /// in them differs from the file.
    ///
    /// Sources: madvise(2), MADV_DONTNEED; proc_pid_maps(5).
    package static func release() {
        for line in ProcFile.lines("/proc/self/maps") {
            // 5586b1a00000-5586b3a00000 r-xp 00000000 fe:00 1234    /usr/bin/rowtail
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard bounds.count == 2 else { continue }
            madvise(UnsafeMutableRawPointer(bitPattern: bounds[0]), Int(bounds[1] - bounds[0]), MADV_DONTNEED)
        }
    }
}
