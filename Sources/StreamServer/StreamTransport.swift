// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What a stream goes out on: a connection of its own, or one stream of an HTTP/2 connection.
///
/// Everything happens on the connection's event loop.
protocol StreamTransport: AnyObject {
    /// The socket that takes the stream's bytes as they are; `nil` where something has to be done to them first.
    var descriptor: CInt? { get }

    /// Sends bytes of the stream through the channel, after everything that it still holds.
    ///
    /// - Returns: Succeeds when the kernel took them, fails when the connection or the stream is gone.
    func write(_ buffer: ByteBuffer) -> EventLoopFuture<Void>

    /// Sends a stream's last bytes and ends it in order.
    ///
    /// `staysOpen` is whether another request may follow on a connection that was the stream's alone.
    func endStream(with frame: String, staysOpen: Bool)

    /// Cuts the stream, without what would make a body look complete.
    func abort()

    /// How many bytes are under way that the client hasn't taken; `nil` where nobody can tell.
    ///
    /// A client that takes some, however few, has this change.
    func unacknowledged() -> Int?
}
