// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Standard error, which may be a pipe that nobody reads any more.
enum LogOutput {
    /// How long a line waits for room, in milliseconds.
    private static let patience: CInt = 1000

    private static let isStuck = Atomic(false)

    /// Writes a line with its end.
    ///
    /// Where there is no room for a second it is lost, and those that come next without waiting until there is some again: a
    /// log holds up neither rows nor the end of the process.
    static func write(_ line: String) {
        var room = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&room, 1, isStuck.load(ordering: .relaxed) ? 0 : patience) != 0 else {
            isStuck.store(true, ordering: .relaxed)
            return
        }
        isStuck.store(false, ordering: .relaxed)
        // One call a line, so that lines of threads don't mix.
        var line = line
        line.withUTF8 { bytes in
            _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }
}
