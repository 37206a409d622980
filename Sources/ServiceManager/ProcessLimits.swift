// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the process asks of the kernel before it serves.
package enum ProcessLimits {
    /// Raises the limit on open files as far as the process may: each stream takes one.
    package static func raiseOpenFiles() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// How many processors the process may run on, as `taskset` and systemd's `CPUAffinity=` say; see proc_pid_status(5).
    ///
    /// - Returns: `nil` where the kernel doesn't tell.
    package static func allowedProcessors() -> Int? {
        let name = "Cpus_allowed:"
        guard let line = ProcFile.lines("/proc/self/status").first(where: { $0.hasPrefix(name) }) else { return nil }
        // A mask in hexadecimal, in groups: `ff,ffffffff`.
        let count = line.dropFirst(name.count).compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
        return count > 0 ? count : nil
    }

    /// Has writes to closed sockets fail instead of ending the process.
    package static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
