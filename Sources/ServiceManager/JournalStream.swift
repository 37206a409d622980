// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging

/// The journal, where standard error may lead to.
package enum JournalStream {
    /// Whether a descriptor leads to the journal, and not to a file or a pipe that took its place.
    ///
    /// `JOURNAL_STREAM` in the environment has the device and the inode that the manager connected to the journal.
    ///
    /// Source: systemd.exec(5), "Environment variables set or propagated by the service manager".
    package static func takes(_ descriptor: CInt = STDERR_FILENO, environment: [String: String]) -> Bool {
        guard let stream = environment["JOURNAL_STREAM"] else { return false }
        var file = stat()
        return fstat(descriptor, &file) == 0 && stream == "\(file.st_dev):\(file.st_ino)"
    }

    /// What stands before a line in the journal, so that it gets a priority; see sd-daemon(3).
    static func prefix(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "<7>"
        case .info: "<6>"
        case .notice: "<5>"
        case .warning: "<4>"
        case .error: "<3>"
        case .critical: "<2>"
        }
    }
}
