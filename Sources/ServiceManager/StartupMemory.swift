// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The memory that only starting up needed.
package enum StartupMemory {
    /// Unmaps the pages of the program's code; those that are needed again are mapped again, from the page cache.
    ///
    /// Relocating, reading the configuration and making the runtime's tables touch most of the code once, and the kernel
    /// counts it as resident for ever after. Only executable mappings of files are named, and of these only such as have
    /// no page of their own: what a debugger, a probe or a library that patches code wrote there would be lost.
    ///
    /// Sources: madvise(2), MADV_DONTNEED; proc_pid_smaps(5).
    package static func release() {
        var code: Range<UInt>?
        for line in ProcFile.lines("/proc/self/smaps") {
            let fields = line.split(separator: " ")
            switch fields.first {
            case "Anonymous:", "Swap:":
                if fields.dropFirst().first != "0" { code = nil }
            case "VmFlags:":
                // The last line of each mapping.
                if let code {
                    madvise(UnsafeMutableRawPointer(bitPattern: code.lowerBound), code.count, MADV_DONTNEED)
                }
                code = nil
            default:
                if fields.count > 1, !fields[0].hasSuffix(":") { code = bounds(ofCode: fields) }
            }
        }
    }

    /// The addresses of an executable mapping of a file, from the first line about it.
    private static func bounds(ofCode fields: [Substring]) -> Range<UInt>? {
        // 5586b1a00000-5586b3a00000 r-xp 00000000 fe:00 1234    /usr/bin/rowtail
        guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { return nil }
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        return bounds.count == 2 && bounds[0] < bounds[1] ? bounds[0]..<bounds[1] : nil
    }
}
