// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL

extension ChannelHandlerContext {
    /// Closes the connection without a farewell.
    ///
    /// Under TLS that is without `close_notify` (RFC 8446, section 6.1), so that a client can tell a cut from an end, and
    /// without waiting for the peer's.
    func cut() {
        let below = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
        (below ?? self).close(promise: nil)
    }
}

extension Channel {
    /// The socket; `nil` where there is none, as in a stream of an HTTP/2 connection.
    var socketDescriptor: CInt? {
        try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
    }
}
