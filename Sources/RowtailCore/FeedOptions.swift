// SPDX-License-Identifier: Apache-2.0

/// What a feed guarantees, and so how its table is read.
package enum FeedMode: String, CaseIterable, Sendable {
    /// Every insert, exactly, in id order.
    case append

    /// Inserts and the latest state of updated rows, in the order of a time or version column.
    case updated

    /// Every insert, update and delete with the rows before and after, in commit order.
    case log
}

/// Where a stream starts when its request brings no event id.
package enum StartPoint: Hashable, Sendable {
    /// Before the first row of the table.
    case earliest

    /// After the newest row at the moment of the request.
    case latest

    /// Before the newest rows, this many of them.
    case newest(Int)

    /// Before the rows of this time and later.
    case time(UnixTime)

    /// After the row that an event id names.
    case after(EventID)
}

/// Where a stream goes on when its position can't be continued.
package enum ResetPolicy: String, CaseIterable, Sendable {
    /// From the first row of the table.
    case earliest

    /// From the newest row on.
    case latest

    /// Nowhere: 410 on resume, the end of the stream when it is open.
    case fail
}

/// How INTEGER values are written in a feed's JSON.
package enum IntegerFormat: String, CaseIterable, Sendable {
    /// As JSON numbers, which lose precision past 2^53 in JavaScript.
    case number

    /// As JSON strings, which any client reads exactly.
    case string
}
