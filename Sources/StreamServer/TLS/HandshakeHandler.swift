// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOTLS

/// Waits for the end of a TLS handshake, and puts in its own place what speaks the protocol that was agreed on.
///
/// The time for a request's head begins with the connection: it covers the handshake and the first request.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let fanOut: FanOut
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?

    init(fanOut: FanOut) {
        self.fanOut = fanOut
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { arm(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
    }

    func channelActive(context: ChannelHandlerContext) {
        arm(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    private func arm(_ context: ChannelHandlerContext) {
        guard let limit = fanOut.options.limits.requestTimeout, timer == nil else { return }
        let end = NIODeadline.now() + TimeAmount(limit)
        deadline = end
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: end) { bound.value.cut() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let chosen):
            agreed(on: chosen, context)
        case ChannelEvent.inputClosed:
            context.cut()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Nothing of the first request is let through before this returns.
    private func agreed(on chosen: String?, _ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            if chosen == "h2" {
                try HTTP2Connection.addHandlers(after: self, in: context, fanOut: fanOut, firstRequestBy: deadline)
            } else {
                let connection = ConnectionHandler(fanOut: fanOut, isSecure: true, firstRequestBy: deadline)
                try pipeline.addHandler(connection, position: .after(self))
            }
            pipeline.removeHandler(context: context, promise: nil)
        } catch {
            context.cut()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What the client has to know of it, TLS has told it.
        context.cut()
    }
}
