// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// One HTTP/1 connection, from its first byte to its last: lets one request at a time through to the HTTP codec, and
/// carries a stream after the codec was taken out of the pipeline.
///
/// Heads are cut out of the byte stream here, so that their size and time are bounded, pipelined requests wait their
/// turn, and the codec never holds bytes of the next request when it is removed. Bodies are never read: a request that
/// carries one is answered from its head, and the connection is closed.
///
/// Sources: RFC 9112, sections 2.1 (message format), 9.3 (persistence) and 9.6 (tear-down).
final class ConnectionHandler: ChannelDuplexHandler, StreamTransport {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Waiting for a whole head.
        case reading
        /// A request is being answered.
        case answering
        /// A stream goes out.
        case streaming(ActiveStream)
        /// The last answer is out; what still comes in is dropped, so that closing doesn't reset the connection before
        /// the client has read it.
        case lingering
    }

    /// How long a connection whose last answer is out may stay.
    private static let lingerTime = TimeAmount.seconds(2)

    private let fanOut: FanOut
    /// Whether it goes through TLS.
    let isSecure: Bool
    /// When the first request is due, where that was counted from before the connection was HTTP/1.
    private let firstRequestBy: NIODeadline?
    private var phase = Phase.reading {
        didSet { countBusy() }
    }
    private var isBusy = false
    private var isFresh = false
    private var received = ByteBuffer()
    private var scanner = HeadScanner()
    private var inputIsClosed = false
    private var readWasHeld = false
    private var deadline: Scheduled<Void>?
    private var context: ChannelHandlerContext?
    private var requestHandler: RequestHandler?
    private var codec: [any RemovableChannelHandler] = []
    /// Whether the request that is being answered is the last of this connection.
    private var servesNoMore = false

    init(fanOut: FanOut, isSecure: Bool = false, firstRequestBy: NIODeadline? = nil) {
        self.fanOut = fanOut
        self.isSecure = isSecure
        self.firstRequestBy = firstRequestBy
    }

    /// What bounds a client's doings, as the configuration has it now.
    private var limits: ServerOptions.Limits { fanOut.options.limits }

    private func countBusy() {
        let wasBusy = isBusy
        switch phase {
        case .answering, .streaming: isBusy = true
        case .reading, .lingering: isBusy = false
        }
        if isBusy != wasBusy { fanOut.countBusy(isBusy ? 1 : -1) }
        if case .reading = phase { return }
        countNoLongerFresh()
    }

    private func countNoLongerFresh() {
        guard isFresh else { return }
        isFresh = false
        fanOut.countFresh(-1)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isFresh = true
        fanOut.countFresh(1)
        try? installCodec(context)
        guard context.channel.isActive else { return }
        if let firstRequestBy {
            armDeadline(context, at: firstRequestBy)
        } else {
            armDeadline(context, limits.requestTimeout)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        countNoLongerFresh()
        self.context = nil
        requestHandler = nil
        codec = []
    }

    func channelActive(context: ChannelHandlerContext) {
        armDeadline(context, limits.requestTimeout)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        closed()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch phase {
        case .lingering:
            return
        case .streaming where servesNoMore || received.readableBytes + bytes.readableBytes > limits.requestHead:
            // A body, or more than a request ahead: it will not be looked at, and the connection not be used again.
            servesNoMore = true
            received = ByteBuffer()
            return
        default:
            keep(bytes)
        }
        advance()
    }

    /// Keeps what came in, and no memory for what was used up before.
    private func keep(_ bytes: ByteBuffer) {
        guard received.readableBytes > 0 else {
            received = bytes
            return
        }
        received.discardReadBytes()
        received.writeImmutableBuffer(bytes)
    }

    func read(context: ChannelHandlerContext) {
        if holdsReads {
            readWasHeld = true
        } else {
            context.read()
        }
    }

    /// Whether requests wait that came ahead: a client that sends on and on while it is being answered waits in its own
    /// socket.
    private var holdsReads: Bool {
        switch phase {
        // A head alone that is so large has been refused.
        case .reading, .answering: received.readableBytes > limits.requestHead
        case .streaming, .lingering: false
        }
    }

    private func resumeReading() {
        guard readWasHeld, !holdsReads, let context else { return }
        readWasHeld = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        inputIsClosed = true
        switch phase {
        case .reading:
            // Requests that came before the end are still answered.
            advance()
        case .answering:
            break
        case .lingering:
            context.cut()
        case .streaming(let stream):
            // A closed peer answers with a reset, which shows at once; a half-closed one goes on.
            stream.beat()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .streaming(let stream) = phase { stream.connectionClosed(StreamMetrics.Closed(error)) }
        context.cut()
    }

    private func closed() {
        if case .streaming(let stream) = phase { stream.connectionClosed(.client) }
        phase = .lingering
        requestHandler?.connectionClosed()
    }

    // MARK: - Requests

    /// Makes the codec's types known to the Swift runtime, on one thread.
    ///
    /// Seen with Swift 6.3: two event loops that accept their first connections at the same moment, each the first to
    /// need these generic types, and a null pointer in `swift_conformsToProtocolMaybeInstantiateSuperclasses`.
    static func prepareCodec() {
        _ = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
        _ = HTTPResponseEncoder()
    }

    private func installCodec(_ context: ChannelHandlerContext) throws {
        let handler = RequestHandler(connection: self, fanOut: fanOut)
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
        let encoder = HTTPResponseEncoder()
        try context.pipeline.syncOperations.addHandlers([decoder, encoder, handler], position: .after(self))
        requestHandler = handler
        codec = [decoder, encoder, handler]
    }

    private func armDeadline(_ context: ChannelHandlerContext, _ limit: Duration?) {
        deadline?.cancel()
        guard let limit else { return }
        armDeadline(context, at: .now() + TimeAmount(limit))
    }

    private func armDeadline(_ context: ChannelHandlerContext, at time: NIODeadline) {
        deadline?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(deadline: time) {
            let (handler, context) = bound.value
            // Between requests there is a farewell; an answer that is under way must not look complete.
            if case .reading = handler.phase, handler.isSecure { handler.linger(context) } else { context.cut() }
        }
    }

    /// Lets the next whole head through, if it is its turn.
    private func advance() {
        guard case .reading = phase, let context else { return }
        skipEmptyLines()
        guard let length = scanner.headLength(received) else {
            if received.readableBytes > limits.requestHead {
                refuseHead()
            } else if inputIsClosed {
                // The rest of the head will never come.
                context.close(promise: nil)
            }
            return
        }
        guard length <= limits.requestHead else {
            refuseHead()
            return
        }
        guard var head = received.readSlice(length: length) else { return }
        if received.readableBytes == 0 { received = ByteBuffer() }
        deadline?.cancel()
        phase = .answering
        requestHandler?.otherMethod = OtherMethod.take(from: &head)
        context.fireChannelRead(wrapInboundOut(head))
        context.fireChannelReadComplete()
        // What the parser neither took for a head nor refused can't be answered otherwise.
        requestHandler?.requireHead()
    }

    private func refuseHead() {
        phase = .answering
        received = ByteBuffer()
        requestHandler?.refuseHead()
    }

    /// An empty line or more before a request is passed over (RFC 9112, section 2.2).
    private func skipEmptyLines() {
        let bytes = received.readableBytesView
        let start = bytes.firstIndex { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") } ?? bytes.endIndex
        received.moveReaderIndex(to: start)
    }

    /// Takes note that an answer is out.
    ///
    /// - Parameter staysOpen: Whether another request may follow on this connection.
    func answered(staysOpen: Bool) {
        guard let context else { return }
        guard staysOpen else {
            linger(context)
            return
        }
        phase = .reading
        armDeadline(context, limits.requestTimeout)
        // Not from inside the codec, which is still on the stack.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            bound.value.advance()
            bound.value.resumeReading()
        }
    }

    /// Bounds the time that the last bytes of an answer may take; most are gone by now.
    func limitWrite() {
        guard case .answering = phase, let context else { return }
        armDeadline(context, limits.writeTimeout)
    }

    private func linger(_ context: ChannelHandlerContext) {
        phase = .lingering
        deadline?.cancel()
        guard !inputIsClosed else {
            context.close(promise: nil)
            return
        }
        context.close(mode: .output, promise: nil)
        armDeadline(context, at: .now() + Self.lingerTime)
        resumeReading()
    }

    // MARK: - Streams

    /// Turns the connection into a stream: the codec goes, once what it wrote is on its way.
    ///
    /// `staysOpen` is whether another request may follow on this connection when the stream ends.
    func become(_ stream: ActiveStream, staysOpen: Bool) {
        guard let context else { return }
        if !staysOpen {
            servesNoMore = true
            received = ByteBuffer()
        }
        phase = .streaming(stream)
        requestHandler = nil
        for handler in codec {
            context.pipeline.syncOperations.removeHandler(handler, promise: nil)
        }
        codec = []
        resumeReading()
    }

    private(set) lazy var socket: CInt? = context?.channel.socketDescriptor

    /// TLS encrypts every byte for its connection.
    var descriptor: CInt? { isSecure ? nil : socket }

    func write(_ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context else { return fanOut.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        var rest = buffer
        // TLS keeps a buffer as large as what it was given at once.
        while isSecure, rest.readableBytes > SharedPiece.byteLimit {
            guard let part = rest.readSlice(length: SharedPiece.byteLimit) else { break }
            context.writeAndFlush(wrapOutboundOut(part), promise: nil)
        }
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(rest), promise: promise)
        return promise.futureResult
    }

    func unacknowledged() -> Int? {
        socket.flatMap(SocketWriter.unacknowledged)
    }

    /// Sends a stream's last bytes; then the connection takes requests again, or is closed.
    func endStream(with frame: String, staysOpen: Bool) {
        guard let context else { return }
        phase = .answering
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        write(context.channel.allocator.buffer(string: frame)).whenComplete { _ in
            let (handler, context) = bound.value
            guard context.channel.isActive else { return }
            guard staysOpen, !handler.servesNoMore, (try? handler.installCodec(context)) != nil else {
                handler.linger(context)
                return
            }
            handler.answered(staysOpen: true)
        }
        limitWrite()
    }

    func abort() {
        context?.cut()
    }
}
