// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// What is read of a table for subscribers that are not at its head.
enum ReplayRead: Hashable, Sendable {
    /// The rows after a position, up to another.
    case page(after: Position, through: Position)

    /// The position before so many of the newest rows.
    case position(count: Int, through: Position)

    /// The position before the rows of a time.
    case time(UnixTime, through: Position)
}
