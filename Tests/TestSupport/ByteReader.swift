// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Takes bytes from a channel and gives them out as lines, plain or out of a chunked body.
actor ByteReader {
    private let stream: AsyncStream<ByteBuffer>
    private nonisolated let continuation: AsyncStream<ByteBuffer>.Continuation
    private var iterator: AsyncStream<ByteBuffer>.Iterator
    private var raw: [UInt8] = []
    private var body: [UInt8] = []
    private var isChunked = false
    private(set) var sawFinalChunk = false

    init() {
        (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        iterator = stream.makeAsyncIterator()
    }

    nonisolated func handler() -> any ChannelHandler {
        ByteReaderHandler(continuation)
    }

    /// Waits for more bytes; false at the end of the connection.
    private func fill() async -> Bool {
        var copy = iterator
        guard let buffer = await copy.next(isolation: self) else { return false }
        iterator = copy
        raw.append(contentsOf: buffer.readableBytesView)
        return true
    }

    func expectBody(chunked: Bool) {
        isChunked = chunked
        body = []
        sawFinalChunk = false
    }

    /// The next line, without its end; `nil` at the end of the connection.
    func line() async throws -> String? {
        while true {
            if let end = raw.firstIndex(of: UInt8(ascii: "\n")) {
                let line = raw[..<end].filter { $0 != UInt8(ascii: "\r") }
                raw.removeSubrange(...end)
                return String(decoding: line, as: UTF8.self)
            }
            guard await fill() else { return nil }
        }
    }

    /// So many bytes.
    func bytes(_ count: Int) async throws -> String {
        while raw.count < count {
            guard await fill() else { throw StreamClient.Closed() }
        }
        defer { raw.removeSubrange(..<count) }
        return String(decoding: raw[..<count], as: UTF8.self)
    }

    /// The next line of the body; `nil` at its end.
    func bodyLine() async throws -> String? {
        while true {
            if let end = body.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: body[..<end], as: UTF8.self)
                body.removeSubrange(...end)
                return line
            }
            guard !sawFinalChunk, try await moreBody() else { return nil }
        }
    }

    private func moreBody() async throws -> Bool {
        guard isChunked else {
            while raw.isEmpty {
                guard await fill() else { return false }
            }
            body.append(contentsOf: raw)
            raw = []
            return true
        }
        guard let line = try await line() else { return false }
        guard let size = Int(line, radix: 16) else { throw StreamClient.Closed() }
        while raw.count < size + 2 {
            guard await fill() else { return false }
        }
        body.append(contentsOf: raw[..<size])
        raw.removeSubrange(..<(size + 2))
        if size == 0 { sawFinalChunk = true }
        return true
    }
}

private final class ByteReaderHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let continuation: AsyncStream<ByteBuffer>.Continuation

    init(_ continuation: AsyncStream<ByteBuffer>.Continuation) {
        self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        continuation.yield(unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { continuation.finish() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        continuation.finish()
        context.close(promise: nil)
    }
}
