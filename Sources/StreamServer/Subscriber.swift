// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// One client's stream on its event loop: its position and its connection.
///
/// It keeps no bytes: what the kernel doesn't take is read again, from the tail or from the table, when the client took
/// what came before. Only the rest of one event that was cut in the middle waits in the channel.
final class Subscriber {
    let channel: any Channel
    let connection: ConnectionHandler
    /// The stream's place, given back when it ends.
    let ticket: StreamOpening.Ticket
    /// The socket, looked up once per connection.
    let descriptor: CInt
    /// Whether the body is in chunks, as HTTP/1.1 clients get it.
    let isChunked: Bool
    let query: StreamQuery
    let policy: ResetPolicy
    let startedAt: NIODeadline
    /// When the stream is to end so that the client reconnects.
    let endsAt: NIODeadline?
    /// Where the stream stands; `nil` while nobody knows where the feed does.
    var state: SubscriberState?
    /// The place in the group's list.
    var index = 0
    /// How many writes the channel holds that the kernel didn't take.
    var heldWrites = 0
    /// When bytes were last sent, or seen to be acknowledged.
    var lastProgress: NIODeadline
    /// The bytes that the peer hadn't acknowledged at the last look.
    var unacknowledged: Int?
    /// Why the stream is to end as soon as the connection takes bytes.
    var ending: EndReason?
    var isClosed = false
    /// Whether its start is being looked up.
    var isSettling = false
    /// How many pages in a row could not be read.
    var failedPages = 0
    /// Whether pages that wait in line for it are still worth reading.
    let interest = PageInterest()
    /// Whether the pump is at work on it.
    var isPumping = false

    /// Whether bytes sent now would overtake others.
    var isBlocked: Bool { heldWrites > 0 }

    init(
        ticket: StreamOpening.Ticket,
        connection: ConnectionHandler,
        channel: any Channel,
        descriptor: CInt,
        isChunked: Bool,
        query: StreamQuery,
        policy: ResetPolicy,
        endsAt: NIODeadline?,
        now: NIODeadline
    ) {
        self.ticket = ticket
        self.connection = connection
        self.channel = channel
        self.descriptor = descriptor
        self.isChunked = isChunked
        self.query = query
        self.policy = policy
        self.endsAt = endsAt
        startedAt = now
        lastProgress = now
    }
}
