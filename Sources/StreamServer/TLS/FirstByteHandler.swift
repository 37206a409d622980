// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL

/// Waits for the first byte of a connection that is to be TLS, and puts TLS in its own place when it is.
///
/// A peer that sends nothing costs no more than a plain connection until then. One that speaks plain HTTP is told so,
/// in plain HTTP; any other is closed.
final class FirstByteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The type of a TLS record of a handshake (RFC 8446, section 5.1).
    private static let handshake: UInt8 = 22
    private static let lingerTime = TimeAmount.seconds(2)

    private let fanOut: FanOut
    private var isRefused = false

    init(fanOut: FanOut) {
        self.fanOut = fanOut
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        let bytes = unwrapInboundIn(data)
        guard let first: UInt8 = bytes.getInteger(at: bytes.readerIndex) else { return }
        guard first == Self.handshake, let identity = fanOut.options.tls else {
            refuse(context, answers: (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first))
            return
        }
        do {
            let pipeline = context.pipeline.syncOperations
            try pipeline.addHandler(NIOSSLServerHandler(context: identity.context), position: .after(self))
            context.fireChannelRead(data)
            pipeline.removeHandler(context: context, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    private func refuse(_ context: ChannelHandlerContext, answers: Bool) {
        isRefused = true
        guard answers else {
            context.close(promise: nil)
            return
        }
        let answer = RequestError(.badRequest, "this port speaks TLS; use https").answer
        let text = """
            HTTP/1.1 400 Bad Request\r
            content-type: application/json\r
            content-length: \(answer.body.utf8.count)\r
            connection: close\r
            \r
            \(answer.body)
            """
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        context.close(mode: .output, promise: nil)
        // The rest of what it sends is dropped, so that closing doesn't reset the connection before it has read this.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.lingerTime) { bound.value.close(promise: nil) }
    }
}
