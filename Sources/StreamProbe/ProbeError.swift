// SPDX-License-Identifier: Apache-2.0

/// Why nothing can be asked, or no answer came.
package struct ProbeError: Error, Sendable, CustomStringConvertible {
    /// What to branch on.
    package enum Code: Sendable {
        /// The URL isn't one that can be asked.
        case url
        /// No connection came about.
        case connection
        /// The certificate isn't trusted, or is another's.
        case certificate
        /// TLS failed for another reason.
        case tls
    }

    /// What went wrong.
    package var code: Code

    /// What is wrong and where, without the remedy.
    package var message: String

    /// What to do about it.
    package var remedy: String

    /// The message and the remedy, as all messages have them.
    package var description: String { "\(message); \(remedy)" }
}
