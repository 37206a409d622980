// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One stream of an HTTP/2 connection: a request, and its answer or the events that go on and on.
///
/// What it sends waits for the client's flow control window, its own and the connection's. A slow stream holds up nobody
/// else on the connection, and has one ``SharedPiece`` under way. Bodies of requests are dropped.
///
/// Sources: RFC 9113, sections 5.2 (flow control), 8.1 (messages) and 8.3.1 (requests).
final class HTTP2Stream: ChannelInboundHandler, StreamTransport, AnswerWriter {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private enum Phase {
        /// Waiting for the head.
        case waiting
        /// A request is being answered.
        case answering
        /// A stream goes out.
        case streaming(ActiveStream)
        /// The answer's last frame is written, though it may not be out.
        case ending
        /// Nothing more is to be sent.
        case ended
    }

    private let connection: HTTP2Connection
    private var phase = Phase.waiting {
        didSet { countBusy() }
    }
    private var isBusy = false
    private var isCounted = false
    private var isHead = false
    /// Whether the client has sent all of its request.
    private var requestEnded = false
    /// The bytes that wait for the client.
    private var pending = 0
    private var deadline: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    private var fanOut: FanOut { connection.fanOut }

    init(connection: HTTP2Connection) {
        self.connection = connection
    }

    private func countBusy() {
        let wasBusy = isBusy
        switch phase {
        case .answering, .streaming, .ending: isBusy = true
        case .waiting, .ended: isBusy = false
        }
        if isBusy != wasBusy { fanOut.countBusy(isBusy ? 1 : -1) }
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isCounted = true
        connection.streamOpened(try? context.channel.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID))
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        closed()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        closed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func closed() {
        if case .streaming(let stream) = phase { stream.connectionClosed(connection.loss) }
        // An end that is written and not out yet is out, or lost, when its write completes.
        if case .ending = phase {} else { phase = .ended }
        deadline?.cancel()
        guard isCounted else { return }
        isCounted = false
        connection.streamClosed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let head):
            requestEnded = requestEnded || head.endStream
            // Others are trailers.
            if case .waiting = phase { take(head.headers, context) }
        case .data(let body):
            requestEnded = requestEnded || body.endStream
        default:
            break
        }
    }

    private func take(_ head: HPACKHeaders, _ context: ChannelHandlerContext) {
        phase = .answering
        isHead = head.first(name: ":method") == "HEAD"
        let size = head.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= fanOut.options.limits.requestHead else {
            let error = RequestError(
                .headTooLarge,
                "the request's head is too large; send less, or raise limits.request_head"
            )
            send(error.answer)
            return
        }
        guard let request = HTTPRequest(head) else {
            send(RequestError(.badRequest, "the request's head makes no sense").answer)
            return
        }
        Responder(fanOut: fanOut, address: context.channel.remoteAddress?.ipAddress, writer: self).respond(to: request)
    }

    // MARK: - Answers

    var awaitsAnswer: Bool {
        if case .answering = phase { context != nil } else { false }
    }

    func send(_ answer: ShortAnswer) {
        guard awaitsAnswer, let context else { return }
        var fields = answer.fields
        if answer.status != .noContent { fields[.contentLength] = String(answer.body.utf8.count) }
        guard answer.status != .noContent, !isHead, !answer.body.isEmpty else {
            write(answer.status, fields, ends: true, context)
            return
        }
        write(answer.status, fields, ends: false, context)
        writeLast(ByteBuffer(string: answer.body), context)
    }

    func sendHead(_ fields: HTTPFields) {
        guard let context else { return }
        write(.ok, fields, ends: true, context)
    }

    private func write(
        _ status: HTTPResponse.Status,
        _ fields: HTTPFields,
        ends: Bool,
        _ context: ChannelHandlerContext
    ) {
        var head: HPACKHeaders = [":status": String(status.code)]
        head.add(name: "date", value: fanOut.date.now())
        for field in fields { head.add(name: field.name.canonicalName, value: field.value) }
        let frame = HTTP2Frame.FramePayload.headers(.init(headers: head, endStream: ends))
        if ends { end(with: frame, context) } else { context.write(wrapOutboundOut(frame), promise: nil) }
    }

    private func writeLast(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        end(with: .data(.init(data: .byteBuffer(buffer), endStream: true)), context)
    }

    /// Sends the last frame of the answer.
    private func end(with frame: HTTP2Frame.FramePayload, _ context: ChannelHandlerContext) {
        phase = .ending
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        if let limit = fanOut.options.limits.writeTimeout {
            deadline = context.eventLoop.scheduleTask(in: TimeAmount(limit)) { bound.value.1.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(frame)).whenComplete { _ in
            let (stream, context) = bound.value
            stream.deadline?.cancel()
            stream.phase = .ended
            // The rest of the request need not be sent.
            guard !stream.requestEnded, context.channel.isActive else { return }
            context.writeAndFlush(stream.wrapOutboundOut(.rstStream(.noError)), promise: nil)
        }
    }

    // MARK: - Streams

    func begin(_ ticket: StreamTicket, _ fields: HTTPFields) -> ActiveStream {
        let stream = ticket.makeStream(on: self, isChunked: false)
        phase = .streaming(stream)
        if let context { write(.ok, fields, ends: false, context) }
        return stream
    }

    var descriptor: CInt? { nil }

    func write(_ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context else { return fanOut.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        var rest = buffer
        // One event may be large: each part that the client took is progress.
        while rest.readableBytes > SharedPiece.byteLimit {
            guard let part = rest.readSlice(length: SharedPiece.byteLimit) else { break }
            _ = write(part: part, context)
        }
        let future = write(part: rest, context)
        context.flush()
        return future
    }

    private func write(part: ByteBuffer, _ context: ChannelHandlerContext) -> EventLoopFuture<Void> {
        pending += part.readableBytes
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let future = context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(part)))))
        future.whenComplete { _ in bound.value.pending -= part.readableBytes }
        return future
    }

    /// While the connection takes nothing, what the client acknowledges of it counts for each of its streams.
    func unacknowledged() -> Int? {
        let ofConnection = connection.isWritable ? 0 : connection.socket.flatMap(SocketWriter.unacknowledged) ?? 0
        return pending + ofConnection
    }

    func endStream(with frame: String, staysOpen: Bool) {
        guard let context else { return }
        writeLast(ByteBuffer(string: frame), context)
    }

    func abort() {
        context?.close(promise: nil)
    }
}
