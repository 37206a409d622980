// SPDX-License-Identifier: Apache-2.0

/// Why a stream can't go on exactly after the client's last id.
package enum ResetReason: String, CaseIterable, Sendable {
    /// The id lies past the base of a later generation: rows after it went away and their ids may come again.
    case rewound

    /// Another file or table took the place.
    case replaced

    /// The rows after the id were deleted from the log, as they were old.
    case pruned

    /// The id is newer than the newest row.
    case ahead

    /// The id belongs to a generation that this daemon doesn't know.
    case generation
}

/// A break in continuity, as a client is told of it by `rowtail.reset`.
package struct Reset: Hashable, Sendable {
    /// Why.
    package var reason: ResetReason

    /// The id that the client asked to go on after, or the last one that its stream reached.
    package var requested: EventID

    /// Where the stream goes on.
    package var resumedFrom: EventID

    /// Describes a break.
    package init(reason: ResetReason, requested: EventID, resumedFrom: EventID) {
        self.reason = reason
        self.requested = requested
        self.resumedFrom = resumedFrom
    }
}

/// Why a stream ends in order, as a client is told by `rowtail.end`.
package enum EndReason: String, CaseIterable, Sendable {
    /// The number of events asked for was sent.
    case limit

    /// The head of the moment of the request was reached.
    case head

    /// The daemon shuts down.
    case drain

    /// The connection reached its greatest age.
    case age

    /// Continuity broke and the client asked to be cut off then.
    case reset

    /// The feed was changed or removed by a new configuration.
    case reload

    /// The token that the stream was opened with covers the feed no longer.
    case unauthorized
}
