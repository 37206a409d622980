// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Flushes once for all streams of a connection that sent something in one round of the event loop.
///
/// Otherwise each of them would cost a TLS record and a system call. No more than ``limit`` bytes wait: past that they go
/// to the socket, which tells when it takes no more, and what the streams have then stays with them.
final class FlushGatherer: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let limit = 16 << 10

    private var waiting = 0
    private var isDue = false
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        waiting += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
        if waiting >= Self.limit { flushNow(context) }
    }

    func flush(context: ChannelHandlerContext) {
        guard !isDue else { return }
        isDue = true
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            let gatherer = bound.value
            gatherer.isDue = false
            if let context = gatherer.context { gatherer.flushNow(context) }
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        flushNow(context)
        context.close(mode: mode, promise: promise)
    }

    private func flushNow(_ context: ChannelHandlerContext) {
        waiting = 0
        context.flush()
    }
}
