// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// One client's stream on its event loop: its position and its connection.
///
/// It keeps no bytes: what the kernel doesn't take is read again, from the tail or from the table, when the client took
/// what came before. Only the rest of one event that was cut in the middle waits in the channel, or one ``SharedPiece``.
final class Subscriber {
    /// A request whose start isn't known yet.
    final class Undecided: Sendable {
        let query: StreamQuery
        let policy: ResetPolicy

        init(query: StreamQuery, policy: ResetPolicy) {
            self.query = query
            self.policy = policy
        }
    }

    let connection: any StreamTransport
    /// Gives the stream's place back.
    let onClose: @Sendable () -> Void
    /// The socket that takes the bytes as they are, looked up once per stream; `nil` where the channel has to work on them.
    let descriptor: CInt?
    /// Whether the body is in chunks, as HTTP/1.1 clients get it; HTTP/1.0 knows none, and HTTP/2 needs none.
    let isChunked: Bool
    /// When the stream is to end so that the client reconnects.
    let endsAt: NIODeadline?
    /// Where the stream stands; `nil` while nobody knows where the feed does.
    ///
    /// Behind the truth while ``isInCohort``.
    var state: SubscriberState?
    /// What the client asked for, while nobody knows where that is.
    var undecided: Undecided?
    /// What the client presented when the stream was opened; `nil` where everybody may read.
    var token: AccessToken?
    /// Whether it is one of those at the head, that move as one.
    var isInCohort = false
    /// The place in the cohort's or the group's list.
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
    /// Whether pages that wait in line for it are still worth reading; `nil` when it never asked for one.
    private(set) var interest: PageInterest?
    /// Whether the pump is at work on it.
    var isPumping = false

    /// Whether bytes sent now would overtake others.
    var isBlocked: Bool { heldWrites > 0 }

    init(
        connection: any StreamTransport,
        isChunked: Bool,
        endsAt: NIODeadline?,
        now: NIODeadline,
        onClose: @escaping @Sendable () -> Void
    ) {
        self.connection = connection
        descriptor = connection.descriptor
        self.isChunked = isChunked
        self.endsAt = endsAt
        self.onClose = onClose
        lastProgress = now
    }

    /// What a request for a page carries, so that it can be dropped when the stream is gone.
    func interestInPages() -> PageInterest {
        if let interest { return interest }
        let interest = PageInterest()
        self.interest = interest
        return interest
    }
}
