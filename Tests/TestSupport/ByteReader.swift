// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Takes bytes from a channel and gives them out as lines, plain or out of a chunked body.
actor ByteReader {
    private let stream: AsyncStream<ByteBuffer>
    private nonisolated let continuation: AsyncStream<ByteBuffer>.Continuation
    private var iterator: AsyncStream<ByteBuffer>.Iterator
    private var source: (any Channel)?
    private var raw = ByteBuffer()
    private var body = ByteBuffer()
    private var isChunked = false
    private(set) var sawFinalChunk = false

    init() {
        (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        iterator = stream.makeAsyncIterator()
    }

    nonisolated func handler() -> any ChannelHandler {
        ByteReaderHandler(continuation)
    }

    /// Takes bytes that came another way.
    nonisolated func take(_ buffer: ByteBuffer) {
        continuation.yield(buffer)
    }

    /// No more bytes will come.
    nonisolated func finish() {
        continuation.finish()
    }

    /// Reads from a channel that reads only when it is asked to; `nil` when it reads by itself.
    func pull(from channel: (any Channel)?) {
        source = channel
    }

    /// Waits for more bytes; false at the end of the connection.
    private func fill() async -> Bool {
        var copy = iterator
        source?.read()
        guard let buffer = await copy.next(isolation: self) else { return false }
        iterator = copy
        raw.discardReadBytes()
        raw.writeImmutableBuffer(buffer)
        return true
    }

    func expectBody(chunked: Bool) {
        isChunked = chunked
        body = ByteBuffer()
        sawFinalChunk = false
    }

    /// The next line, without its end; `nil` at the end of the connection.
    func line() async throws -> String? {
        while true {
            if let line = Self.line(of: &raw) { return line }
            guard await fill() else { return nil }
        }
    }

    private static func line(of buffer: inout ByteBuffer) -> String? {
        let view = buffer.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        var line = view[..<end]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { buffer.moveReaderIndex(to: end + 1) }
        return String(decoding: line, as: UTF8.self)
    }

    /// So many bytes.
    func bytes(_ count: Int) async throws -> String {
        while raw.readableBytes < count {
            guard await fill() else { throw StreamClient.Closed() }
        }
        return raw.readString(length: count) ?? ""
    }

    /// Everything up to the end of the connection.
    func rest() async -> String {
        while await fill() {}
        if !isChunked { body.writeBuffer(&raw) }
        return String(buffer: isChunked ? raw : body)
    }

    /// The next line of the body; `nil` at its end.
    func bodyLine() async throws -> String? {
        while true {
            if let line = Self.line(of: &body) { return line }
            guard !sawFinalChunk, try await moreBody() else { return nil }
        }
    }

    /// The next block of a stream; `nil` at its end.
    func frame() async throws -> StreamClient.Frame? {
        var frame = StreamClient.Frame()
        var isEmpty = true
        while let line = try await bodyLine() {
            if line.isEmpty {
                if isEmpty { continue }
                return frame
            }
            isEmpty = false
            frame.read(line[...])
        }
        return nil
    }

    private func moreBody() async throws -> Bool {
        body.discardReadBytes()
        guard isChunked else {
            while raw.readableBytes == 0 {
                guard await fill() else { return false }
            }
            body.writeBuffer(&raw)
            return true
        }
        guard let line = try await line() else { return false }
        guard let size = Int(line, radix: 16) else { throw StreamClient.Closed("the chunk size '\(line)'") }
        while raw.readableBytes < size + 2 {
            guard await fill() else { return false }
        }
        body.writeBytes(raw.readBytes(length: size) ?? [])
        guard raw.readBytes(length: 2) == Array("\r\n".utf8) else { throw StreamClient.Closed("no end of a chunk") }
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
