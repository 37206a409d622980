// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import RowtailCore

/// Takes the requests of one HTTP/1 connection, each by its head, and writes their answers.
final class RequestHandler: ChannelInboundHandler, RemovableChannelHandler, AnswerWriter {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// What of a request its answer depends on.
    private struct Exchange {
        var isHead: Bool
        var version: HTTPVersion
        var staysOpen: Bool
    }

    private unowned let connection: ConnectionHandler
    private let fanOut: FanOut
    private var exchange: Exchange?
    /// Whether the head last let through was taken in, which may have been answered since.
    private var tookHead = false
    private var context: ChannelHandlerContext?
    private var isClosed = false
    /// The method of the next head, where the parser is shown another.
    var otherMethod: HTTPRequest.Method?

    init(connection: ConnectionHandler, fanOut: FanOut) {
        self.connection = connection
        self.fanOut = fanOut
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func connectionClosed() {
        isClosed = true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The body, if there is one, and the end are of no interest: the head decides.
        guard case .head(let head) = unwrapInboundIn(data), exchange == nil else { return }
        tookHead = true
        // What follows such a head is not looked at: a body, or what the parser takes for another protocol.
        let isLast =
            ["transfer-encoding", "content-length", "upgrade"].contains { head.headers.contains(name: $0) }
            || head.method == .CONNECT
        exchange = Exchange(
            isHead: head.method == .HEAD,
            version: head.version,
            staysOpen: head.isKeepAlive && head.version == .http1_1 && !isLast && !fanOut.isDraining
        )
        do {
            guard head.version == .http1_1 || head.version == .http1_0 else {
                throw RequestError(
                    .badRequest,
                    "HTTP/\(head.version.major).\(head.version.minor) is not spoken here; use HTTP/1.1"
                )
            }
            if head.version == .http1_1, head.headers["host"].count != 1 {
                throw RequestError(.badRequest, "an HTTP/1.1 request has exactly one Host field; send it")
            }
            guard var request = try? HTTPRequest(head, secure: connection.isSecure, splitCookie: false) else {
                throw RequestError(.badRequest, "the request's head makes no sense")
            }
            if let otherMethod { request.method = otherMethod }
            Responder(fanOut: fanOut, address: context.remoteAddress?.ipAddress, writer: self).respond(to: request)
        } catch let error as RequestError {
            send(error.answer)
        } catch {
            send(RequestError(.badRequest, "\(error)").answer)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        refuse(RequestError(.badRequest, "the request's head is no HTTP/1.1: \(error)"))
    }

    /// Answers a head that is larger than allowed.
    func refuseHead() {
        refuse(RequestError(.headTooLarge, "the request's head is too large; send less, or raise limits.request_head"))
    }

    /// Answers a head of which the parser made nothing, neither a request nor an error.
    func requireHead() {
        defer { tookHead = false }
        guard !tookHead, context != nil else { return }
        refuse(RequestError(.badRequest, "the request's head is incomplete"))
    }

    private func refuse(_ error: RequestError) {
        tookHead = true
        // What follows such a head can't be told apart from it.
        exchange = Exchange(isHead: false, version: .http1_1, staysOpen: false)
        send(error.answer)
    }

    // MARK: - Answers

    var awaitsAnswer: Bool { exchange != nil && context != nil && !isClosed }

    func send(_ answer: ShortAnswer) {
        guard let exchange, let context, !isClosed else { return }
        self.exchange = nil
        var fields = answer.fields
        let hasBody = answer.status != .noContent
        if hasBody { fields[.contentLength] = String(answer.body.utf8.count) }
        if !exchange.staysOpen { fields[.connection] = "close" }
        write(answer.status, fields, exchange, context)
        if hasBody, !exchange.isHead, !answer.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
        }
        let bound = NIOLoopBound(connection, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            bound.value.answered(staysOpen: exchange.staysOpen)
        }
        connection.limitWrite()
    }

    @discardableResult
    private func write(
        _ status: HTTPResponse.Status,
        _ fields: HTTPFields,
        _ exchange: Exchange,
        _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        let version = exchange.version == .http1_0 ? HTTPVersion.http1_0 : .http1_1
        var fields = fields
        fields[.date] = fanOut.date.now()
        let head = HTTPResponseHead(
            version: version,
            status: HTTPResponseStatus(statusCode: status.code, reasonPhrase: status.reasonPhrase),
            headers: HTTPHeaders(fields)
        )
        return context.write(wrapOutboundOut(.head(head)))
    }

    // MARK: - Streams

    func sendHead(_ fields: HTTPFields) {
        guard let exchange, let context else { return }
        self.exchange = nil
        var fields = fields
        fields[.connection] = "close"
        // No end: to the encoder it would be that of a chunked body, which the answer to HEAD hasn't.
        let bound = NIOLoopBound(connection, eventLoop: context.eventLoop)
        write(.ok, fields, exchange, context).whenComplete { _ in bound.value.answered(staysOpen: false) }
        context.flush()
        connection.limitWrite()
    }

    func begin(_ ticket: StreamTicket, _ fields: HTTPFields) -> ActiveStream {
        let isChunked = exchange?.version == .http1_1
        let staysOpen = exchange?.staysOpen ?? false
        if let exchange, let context {
            var fields = fields
            if isChunked { fields[.connection] = staysOpen ? "keep-alive" : "close" }
            write(.ok, fields, exchange, context)
        }
        exchange = nil
        let stream = ticket.makeStream(on: connection, isChunked: isChunked)
        connection.become(stream, staysOpen: staysOpen)
        return stream
    }
}
