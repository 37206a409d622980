// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOTLS

/// Waits for the end of TLS's handshake.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<String?>

    /// Keeps a promise with the protocol that the server chose, or breaks it.
    init(_ promise: EventLoopPromise<String?>) {
        self.promise = promise
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(let name) = event { promise.succeed(name) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(
            ProbeError(
                code: .tls,
                message: "the connection ended before TLS was agreed on",
                remedy: "see that TLS is spoken on that port"
            )
        )
        context.fireChannelInactive()
    }
}
