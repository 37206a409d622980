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

    /// Has writes to closed sockets fail instead of ending the process.
    package static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
