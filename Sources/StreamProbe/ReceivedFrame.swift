// SPDX-License-Identifier: Apache-2.0

/// One block of a stream (WHATWG HTML, section 9.2.5) and when its bytes came.
package struct ReceivedFrame: Sendable, Equatable {
    /// `id:`; `nil` when there was none.
    package var id: String?

    /// `event:`.
    package var event: String?

    /// `data:`; of several lines the last, and of a long one the beginning.
    package var data: String?

    /// The comments.
    package var comments: [String] = []

    /// When the first byte came, since the request began.
    package var began = Duration.zero

    /// When the last byte came.
    package var ended = Duration.zero

    /// The longest time for which nothing came between two of its pieces.
    ///
    /// A large event may take long on a slow line; only a silence in its middle says that something waited.
    package var longestGap = Duration.zero

    /// The number of the read that brought the first byte; those of one read came together.
    package var firstRead = 0

    /// The number of the read that brought the last byte.
    package var lastRead = 0

    /// A frame with nothing in it.
    package init() {}

    /// Whether it stands for a row; rowtail's word on a break or an end doesn't.
    package var isEvent: Bool { data != nil && !isReset && !isEnd }

    /// Whether it says that continuity broke.
    package var isReset: Bool { event == "rowtail.reset" }

    /// Whether it says why the stream ends.
    package var isEnd: Bool { event == "rowtail.end" }

    /// Whether it is the comment on an idle stream.
    package var isHeartbeat: Bool { id == nil && data == nil && comments == ["heartbeat"] }

    /// Whether it moves the client's cursor and does nothing else.
    package var isCheckpoint: Bool { id != nil && data == nil }

    /// Whether rowtail begins a stream so.
    package var isGreeting: Bool { comments.contains { $0.hasPrefix("rowtail feed") } }
}
