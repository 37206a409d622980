// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Rows that could not be read for a client, which the poller tries itself until they can.
struct UnreadableRows {
    /// How long a poller that reads the table again and again leaves them alone.
    private static let pause = Duration.seconds(1)

    /// What failed.
    let read: ReplayRead
    /// What is wrong with them; `nil` before the poller's own try.
    private(set) var reason: String?
    private var tried: ContinuousClock.Instant?
    private var wasCommitted = false

    /// Rows that the poller has yet to try.
    init(_ read: ReplayRead) {
        self.read = read
    }

    /// Whether they are to be tried now.
    var isDue: Bool {
        tried.map { .now - $0 >= Self.pause } ?? true
    }

    /// Whether something was committed since they were tried, and they are to be tried now.
    var mayBeMended: Bool { wasCommitted && isDue }

    /// Takes note that something was committed.
    mutating func committed() {
        wasCommitted = true
    }

    /// Takes note that they could not be read again.
    mutating func failed(_ reason: String) {
        self.reason = reason
        tried = .now
        wasCommitted = false
    }
}
