// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request of an ``HTTP2Client``, and its answer.
package final class HTTP2ClientStream: FrameReader {
    /// What is known of the answer.
    package struct State: Sendable {
        /// The head.
        var head: StreamClient.Head?
        /// Whether the body came to an end in order.
        package var endedInOrder = false
        /// The code with which the server reset the stream; `nil` when it didn't.
        package var resetCode: Int?
        /// Whether nothing more will come.
        package var isOver = false
    }

    /// What is known of the answer.
    package let state: Watched<State>

    private let channel: any Channel
    private let reader: ByteReader

    init(channel: any Channel, reader: ByteReader, state: Watched<State>) {
        self.channel = channel
        self.reader = reader
        self.state = state
    }

    /// Waits for the answer's head.
    package func head() async throws -> StreamClient.Head {
        let head = try await state.until("the head of an answer") { state in
            state.head.map { .some($0) } ?? (state.isOver ? .some(nil) : nil)
        }
        guard let head else { throw StreamClient.Closed() }
        return head
    }

    /// Reads the next block of a stream; `nil` at its end.
    package func frame() async throws -> StreamClient.Frame? {
        try await reader.frame()
    }

    /// Reads everything up to the end.
    package func rest() async -> String {
        await reader.rest()
    }

    /// Whether the body came to an end in order.
    package var endedInOrder: Bool { state.value.endedInOrder }

    /// Waits until nothing more will come.
    package func waitForEnd() async throws {
        _ = try await state.until("the end of a stream") { $0.isOver ? true : nil }
    }

    /// Leaves what comes in unread, or goes on: the server may send no more than the window holds.
    package func reads(_ reads: Bool) async throws {
        try await channel.setOption(.autoRead, value: reads).get()
        if reads { channel.read() }
    }

    /// Sends a part of the request's body.
    package func send(_ text: String, ends: Bool = false) async throws {
        let payload = HTTP2Frame.FramePayload.data(
            .init(data: .byteBuffer(ByteBuffer(string: text)), endStream: ends)
        )
        try await channel.writeAndFlush(payload).get()
    }

    /// Leaves the stream, as a browser does when its page goes away.
    package func reset() async {
        // The channel reports its own reset as an error.
        try? await channel.close().get()
    }
}

/// Takes what comes in on a stream's channel.
final class HTTP2StreamWatcher: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    private let reader: ByteReader
    private let state: Watched<HTTP2ClientStream.State>

    init(_ reader: ByteReader, _ state: Watched<HTTP2ClientStream.State>) {
        self.reader = reader
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let payload):
            state.update { state in
                state.head = Self.head(payload.headers)
                if payload.endStream { state.endedInOrder = true }
            }
            if payload.endStream { reader.finish() }
        case .data(let payload):
            if case .byteBuffer(let buffer) = payload.data, buffer.readableBytes > 0 { reader.take(buffer) }
            if payload.endStream {
                state.update { $0.endedInOrder = true }
                reader.finish()
            }
        case .rstStream(let code):
            state.update { $0.resetCode = code.networkCode }
        default:
            break
        }
    }

    private static func head(_ headers: HPACKHeaders) -> StreamClient.Head {
        var fields: [String: String] = [:]
        for (name, value, _) in headers where !name.hasPrefix(":") {
            fields[name] = fields[name].map { "\($0), \(value)" } ?? value
        }
        return StreamClient.Head(statusLine: "HTTP/2 \(headers.first(name: ":status") ?? "")", fields: fields)
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.update { $0.isOver = true }
        reader.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? NIOHTTP2Errors.StreamClosed {
            state.update { $0.resetCode = error.errorCode.networkCode }
        }
        context.close(promise: nil)
    }
}
