// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// A stream of several feeds: a subscriber of each, whose frames go out on one connection.
///
/// Each subscriber is served by its feed's group as any other is, and takes a ``Part`` of this for its connection. What it
/// sends is rewritten here: ids name the position of every feed, as far as this client was sent it, and events carry the
/// name of their feed. A part has one piece under way at a time, so that a slow client holds a piece for each feed, and
/// none of the feeds waits for another.
///
/// Everything happens on the connection's event loop.
final class CombinedStream {
    /// The connection, as the subscriber of one feed knows it.
    final class Part: StreamTransport {
        private let stream: CombinedStream
        private let index: Int

        init(of stream: CombinedStream, index: Int) {
            self.stream = stream
            self.index = index
        }

        /// Ids have to be rewritten.
        var descriptor: CInt? { nil }

        func write(_ buffer: ByteBuffer) -> EventLoopFuture<Void> {
            stream.write(buffer, ofFeed: index)
        }

        func endStream(with frame: String, staysOpen: Bool) {
            stream.end(with: frame, ofFeed: index, staysOpen: staysOpen)
        }

        func abort() {
            stream.transport.abort()
        }

        func unacknowledged() -> Int? {
            stream.transport.unacknowledged()
        }

        /// Takes note that the subscriber is gone.
        func left(_ reason: StreamMetrics.Closed) {
            stream.left(reason)
        }
    }

    private let transport: any StreamTransport
    private let isChunked: Bool
    private let fanOut: FanOut
    private let onClose: @Sendable () -> Void
    private var frames: CombinedFrames
    /// How many more events the client wants; `nil` for all.
    private var remaining: Int?
    private var subscribers: [(subscriber: Subscriber, group: FeedGroup)] = []
    private var isClosed = false
    private var lastWrite = NIODeadline.now()

    init(
        on transport: any StreamTransport,
        isChunked: Bool,
        frames: CombinedFrames,
        limit: Int?,
        fanOut: FanOut,
        onClose: @escaping @Sendable () -> Void
    ) {
        self.transport = transport
        self.isChunked = isChunked
        self.frames = frames
        remaining = limit
        self.fanOut = fanOut
        self.onClose = onClose
    }

    // MARK: - Beginning

    /// Makes what the subscriber of a feed takes for its connection.
    func makePart(ofFeed name: String) -> Part {
        guard let index = frames.feeds.firstIndex(of: name) else { preconditionFailure("'\(name)' was not asked for") }
        return Part(of: self, index: index)
    }

    /// Takes the subscriber in that has a part for its connection.
    func add(_ subscriber: Subscriber, of group: FeedGroup) {
        subscribers.append((subscriber, group))
    }

    /// Sends the first frame, and begins.
    func start(with firstFrame: String) {
        // They send from the next turn of the loop on. The first write may find the connection gone, which has their groups
        // take them off the list: they have to be on it. They count by the time that the client can know of it, too.
        for (subscriber, group) in subscribers { group.add(subscriber, firstFrame: "") }
        fanOut.metrics.bytesSent += UInt64(firstFrame.utf8.count)
        _ = send(ByteBuffer(string: firstFrame))
    }

    // MARK: - Sending

    private func write(_ buffer: ByteBuffer, ofFeed index: Int) -> EventLoopFuture<Void> {
        let eventLoop = fanOut.eventLoop
        guard !isClosed else { return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel) }
        // Each feed may be quiet while another isn't.
        let isHeartbeat = buffer.readableBytesView.elementsEqual(ControlFrame.heartbeat.utf8)
        let isIdle = fanOut.now - lastWrite >= TimeAmount(fanOut.options.heartbeatInterval)
        guard buffer.readableBytes > 0, !isHeartbeat || isIdle else {
            count(bytes: -buffer.readableBytes)
            return eventLoop.makeSucceededVoidFuture()
        }
        let rewritten = buffer.withUnsafeReadableBytes {
            frames.rewrite($0, ofFeed: index, limit: remaining ?? .max)
        }
        count(bytes: rewritten.bytes.count - buffer.readableBytes)
        let future = send(ByteBuffer(bytes: rewritten.bytes))
        guard let remaining else { return future }
        self.remaining = remaining - rewritten.events
        if rewritten.dropped > 0,
            let group = subscribers.first(where: { $0.group.feed.name == frames.feeds[index] })?.group
        {
            group.figures.eventsSent -= UInt64(rewritten.dropped)
        }
        if remaining == rewritten.events { endAtLimit() }
        return future
    }

    /// Sends a comment.
    func beat() {
        guard !isClosed else { return }
        count(bytes: ControlFrame.heartbeat.utf8.count)
        _ = send(ByteBuffer(string: ControlFrame.heartbeat))
    }

    private func send(_ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        guard buffer.readableBytes > 0 else { return fanOut.eventLoop.makeSucceededVoidFuture() }
        lastWrite = .now()
        guard isChunked else { return transport.write(buffer) }
        var chunk = ByteBuffer(string: ChunkFraming.head(buffer.readableBytes))
        chunk.writeImmutableBuffer(buffer)
        chunk.writeString(ChunkFraming.tail)
        return transport.write(chunk)
    }

    /// Corrects the count of bytes, which has those that the subscriber sent.
    private func count(bytes difference: Int) {
        fanOut.metrics.bytesSent &+= UInt64(bitPattern: Int64(difference))
    }

    // MARK: - Ends

    private func endAtLimit() {
        close(.limit)
        end(with: ControlFrame.end(.limit, id: frames.id), staysOpen: true)
    }

    /// Ends the stream when the subscriber that ends was its last, or ends for a reason that holds for all.
    private func end(with frame: String, ofFeed index: Int, staysOpen: Bool) {
        let frame = frames.rewrite(frame, ofFeed: index)
        guard isClosed else { return }
        end(with: frame, staysOpen: staysOpen)
    }

    private func end(with frame: String, staysOpen: Bool) {
        fanOut.metrics.bytesSent += UInt64(frame.utf8.count)
        let text = isChunked ? ChunkFraming.chunk(frame) + ChunkFraming.end : frame
        transport.endStream(with: text, staysOpen: staysOpen)
    }

    private func left(_ reason: StreamMetrics.Closed) {
        // Who wants all there is wants it of the other feeds as well.
        if reason == .head, subscribers.contains(where: { !$0.subscriber.isClosed }) { return }
        close(reason)
    }

    /// Lets go of all subscribers, once, and counts the stream's end.
    func close(_ reason: StreamMetrics.Closed) {
        guard !isClosed else { return }
        isClosed = true
        fanOut.metrics.closed[reason, default: 0] += 1
        // They hold this, by their parts.
        let all = subscribers
        subscribers = []
        for (subscriber, group) in all { group.remove(subscriber, reason) }
        onClose()
    }
}
