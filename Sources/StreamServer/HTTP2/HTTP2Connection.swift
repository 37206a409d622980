// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2
import NIOSSL

/// One HTTP/2 connection: what concerns all of its streams, each of which is an ``HTTP2Stream`` on a channel of its own.
///
/// It sees to idle connections and to the drain, and says goodbye by GOAWAY (RFC 9113, section 6.8).
final class HTTP2Connection: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    let fanOut: FanOut
    private let firstRequestBy: NIODeadline?
    private var context: ChannelHandlerContext?
    private var openStreams = 0
    private var lastStream = HTTP2StreamID.rootStream
    private var idleTimer: Scheduled<Void>?
    private var isDraining = false
    private var isBusy = false
    private var isLeaving = false
    /// What it counts as when a stream is cut, by its client or with the connection.
    private(set) var loss = StreamMetrics.Closed.client
    /// The socket of all streams.
    private(set) lazy var socket: CInt? = context?.channel.socketDescriptor

    private init(fanOut: FanOut, firstRequestBy: NIODeadline?) {
        self.fanOut = fanOut
        self.firstRequestBy = firstRequestBy
    }

    /// Puts what speaks HTTP/2 into a pipeline whose channel is active.
    static func addHandlers(
        after handler: any ChannelHandler,
        in context: ChannelHandlerContext,
        fanOut: FanOut,
        firstRequestBy deadline: NIODeadline?
    ) throws {
        let connection = HTTP2Connection(fanOut: fanOut, firstRequestBy: deadline)
        let bound = NIOLoopBound(connection, eventLoop: context.eventLoop)
        let configuration = configuration(fanOut.options.limits)
        let multiplexer = NIOHTTP2Handler(
            mode: .server,
            eventLoop: context.eventLoop,
            connectionConfiguration: configuration.connection,
            streamConfiguration: configuration.stream
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(HTTP2Stream(connection: bound.value))
            }
        }
        try context.pipeline.syncOperations.addHandlers(
            [FlushGatherer(), multiplexer, connection],
            position: .after(handler)
        )
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        fanOut.opened(self)
        if fanOut.isDraining { drain() } else if let firstRequestBy { armIdleTimer(at: firstRequestBy) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        closed()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        closed()
        context.fireChannelInactive()
    }

    private func closed() {
        idleTimer?.cancel()
        fanOut.closed(self)
        setBusy(false)
        isLeaving = true
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        // A client that can't say anything any more can't open its flow control windows either.
        if isLeaving { context.cut() } else { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Told by RST_STREAM; whoever makes many of them is counted.
        if Self.concernsOneStream(error) { return }
        // TLS says afterwards that it was cut.
        if loss == .client { loss = StreamMetrics.Closed(error) }
        guard error is NIOSSLError else {
            // The client has been told by GOAWAY.
            isLeaving = true
            context.close(promise: nil)
            return
        }
        context.cut()
    }

    // MARK: - Streams

    /// Whether what streams send gets on its way at once.
    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Counts a stream in.
    func streamOpened(_ id: HTTP2StreamID?) {
        if let id { lastStream = max(lastStream, id) }
        openStreams += 1
        idleTimer?.cancel()
    }

    /// Counts a stream out.
    func streamClosed() {
        openStreams -= 1
        guard openStreams == 0 else { return }
        if isDraining {
            leave()
        } else if let limit = fanOut.options.limits.requestTimeout {
            armIdleTimer(at: .now() + TimeAmount(limit))
        }
    }

    // MARK: - Ending

    private func armIdleTimer(at time: NIODeadline) {
        idleTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: fanOut.eventLoop)
        idleTimer = fanOut.eventLoop.scheduleTask(deadline: time) { bound.value.leave() }
    }

    /// Takes no more requests, and closes the connection when its last stream has ended.
    func drain() {
        guard !isDraining, !isLeaving, let context else { return }
        isDraining = true
        setBusy(true)
        guard openStreams > 0 else {
            leave()
            return
        }
        // A request that is on its way is refused such that the client may send it again.
        goAway(.maxID, context)
    }

    /// Says goodbye and closes the connection.
    private func leave() {
        guard !isLeaving else { return }
        isLeaving = true
        idleTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: fanOut.eventLoop)
        // The last frame of the last stream is written by now, but may not be flushed yet.
        fanOut.eventLoop.execute {
            let connection = bound.value
            guard let context = connection.context else { return }
            connection.goAway(connection.lastStream, context)
            context.close(promise: nil)
            connection.setBusy(false)
        }
    }

    private func goAway(_ last: HTTP2StreamID, _ context: ChannelHandlerContext) {
        let frame = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: last, errorCode: .noError, opaqueData: nil)
        )
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func setBusy(_ busy: Bool) {
        guard isBusy != busy else { return }
        isBusy = busy
        fanOut.countBusy(busy ? 1 : -1)
    }
}
