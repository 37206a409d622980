// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import RowtailCore

/// Answers the requests of one HTTP/1 connection, each from its head.
final class RequestHandler: ChannelInboundHandler, RemovableChannelHandler {
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
            guard let request = try? HTTPRequest(head, secure: false, splitCookie: false) else {
                throw RequestError(.badRequest, "the request's head makes no sense")
            }
            handle(request, context)
        } catch let error as RequestError {
            answer(error.answer)
        } catch {
            answer(RequestError(.badRequest, "\(error)").answer)
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
        answer(error.answer)
    }

    private func handle(_ request: HTTPRequest, _ context: ChannelHandlerContext) {
        switch fanOut.router.route(request) {
        case .answer(let answer):
            self.answer(answer, to: request)
        case .later(let future):
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            future.hop(to: context.eventLoop).whenComplete { result in
                let answer = (try? result.get()) ?? RequestError(.unavailable, "no answer could be made").answer
                bound.value.answer(answer, to: request)
            }
        case .stream(let feed, let query, let token):
            guard let group = fanOut.groups[feed.name] else {
                answer(RequestError(.unknownFeed, "there is no feed '\(feed.name)'").answer, to: request)
                return
            }
            let opening = StreamOpening(
                feed: feed,
                group: group,
                fanOut: fanOut,
                address: context.remoteAddress?.ipAddress,
                token: token
            )
            let bound = NIOLoopBound((self, group), eventLoop: context.eventLoop)
            opening.open(query).whenComplete { result in
                let (handler, group) = bound.value
                handler.conclude(result, request, group)
            }
        }
    }

    private func conclude(
        _ result: Result<StreamOpening.Outcome, any Error>,
        _ request: HTTPRequest,
        _ group: FeedGroup
    ) {
        switch result {
        case .success(.answer(let answer)):
            self.answer(answer, to: request)
        case .success(.stream(let ticket)):
            stream(ticket, request, group)
        case .failure(let error as RequestError):
            answer(error.answer, to: request)
        case .failure(let error):
            answer(RequestError(.unavailable, "\(error); try again").answer, to: request)
        }
    }

    // MARK: - Answers

    private func answer(_ answer: ShortAnswer, to request: HTTPRequest) {
        var answer = answer
        answer.fields.append(
            contentsOf: fanOut.options.cors.fields(for: request, isPreflight: request.method == .options)
        )
        self.answer(answer)
    }

    private func answer(_ answer: ShortAnswer) {
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
        let head = HTTPResponseHead(
            version: version,
            status: HTTPResponseStatus(statusCode: status.code, reasonPhrase: status.reasonPhrase),
            headers: HTTPHeaders(fields)
        )
        return context.write(wrapOutboundOut(.head(head)))
    }

    /// The fields of every stream; proxies that would hold events back or keep them are told not to.
    private func streamFields(_ request: HTTPRequest, _ exchange: Exchange) -> HTTPFields {
        var fields: HTTPFields = [
            .contentType: "text/event-stream",
            .cacheControl: "no-cache, no-transform",
            .accelBuffering: "no",
        ]
        if exchange.version == .http1_1 { fields[.connection] = exchange.staysOpen ? "keep-alive" : "close" }
        fields.append(contentsOf: fanOut.options.cors.fields(for: request))
        return fields
    }

    // MARK: - Streams

    private func stream(_ ticket: StreamOpening.Ticket, _ request: HTTPRequest, _ group: FeedGroup) {
        guard let exchange, let context, !isClosed else {
            ticket.release()
            return
        }
        var fields = streamFields(request, exchange)
        if exchange.isHead {
            ticket.release()
            self.exchange = nil
            fields[.connection] = "close"
            // No end: to the encoder it would be that of a chunked body, which the answer to HEAD hasn't.
            let bound = NIOLoopBound(connection, eventLoop: context.eventLoop)
            write(.ok, fields, exchange, context).whenComplete { _ in bound.value.answered(staysOpen: false) }
            context.flush()
            connection.limitWrite()
            return
        }
        guard
            let descriptor = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self,
                { $0 }
            )
        else {
            ticket.release()
            connection.abort()
            return
        }
        self.exchange = nil
        write(.ok, fields, exchange, context)
        let subscriber = ticket.makeSubscriber(
            connection: connection,
            descriptor: descriptor,
            isChunked: exchange.version == .http1_1
        )
        fanOut.metrics.streams[.opened, default: 0] += 1
        connection.becomeStream(subscriber, of: group, staysOpen: exchange.staysOpen)
        group.add(subscriber, firstFrame: ticket.firstFrame)
    }
}

extension HTTPField.Name {
    /// Tells nginx not to collect an answer before it passes it on.
    static let accelBuffering = name("x-accel-buffering")
    /// The id that a client holds (WHATWG HTML, section 9.2.4).
    static let lastEventID = name("last-event-id")

    // Names that are written above are tokens.
    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("'\(text)' is no field name") }
        return name
    }
}
