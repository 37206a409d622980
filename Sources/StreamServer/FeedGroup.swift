// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// The subscribers of one feed on one event loop, and that loop's view of the feed.
///
/// ``pump(_:)`` is the one rule: while the connection takes bytes: at the head, wait; inside the tail, send the shared
/// bytes from there on; behind it, ask the source for the next page. Everything here happens on the event loop.
final class FeedGroup {
    /// How many bytes one system call is given at most.
    private static let batchBytes = 256 << 10
    /// How long to wait, in milliseconds, before what could not be read is asked for again.
    private static let retryDelay: ClosedRange<Int64> = 50...250

    let feed: Feed
    let eventLoop: any EventLoop
    private unowned let fanOut: FanOut
    private(set) var view: FeedView
    private(set) var subscribers: [Subscriber] = []
    private var isPumpDue = false
    private var batch: [SubscriberState.Slice] = []
    private var undelivered: [ContinuousClock.Instant] = []
    var figures = StreamMetrics.FeedFigures()

    init(feed: Feed, fanOut: FanOut) {
        self.feed = feed
        self.fanOut = fanOut
        eventLoop = fanOut.eventLoop
        view = FeedView(tailBytes: feed.options.tailBytes)
        batch.reserveCapacity(SocketWriter.pieceLimit)
    }

    /// Begins to follow the feed.
    func observe() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        view = feed.observe(on: eventLoop) { bound.value.take($0) }
    }

    private func take(_ news: FeedNews) {
        view.apply(news)
        if case .segment(let segment) = news, let foundAt = segment.foundAt { undelivered.append(foundAt) }
        if case .generation = news { settle() }
        guard !isPumpDue else { return }
        isPumpDue = true
        // After whatever else is in line: news that came together goes out together.
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { bound.value.pumpAll() }
    }

    private func pumpAll() {
        isPumpDue = false
        fanOut.updateNow()
        let sentBefore = figures.eventsSent
        // From the end, as a subscriber that ends leaves its place to the last one.
        for index in subscribers.indices.reversed() where index < subscribers.count {
            pump(subscribers[index])
        }
        let now = ContinuousClock.now
        // A loop without subscribers delivers nothing.
        for foundAt in undelivered where figures.eventsSent > sentBefore {
            fanOut.metrics.delivery.record(now - foundAt)
        }
        undelivered.removeAll(keepingCapacity: true)
    }

    // MARK: - Subscribers

    /// Takes a subscriber whose response head was written, and sends its first frame with it.
    func add(_ subscriber: Subscriber, firstFrame frame: String) {
        subscriber.index = subscribers.count
        subscribers.append(subscriber)
        feed.countSubscriber(1)
        // Told where it stands and ended in order, it comes back; a browser would not after any other status than 200.
        if fanOut.isDraining { subscriber.ending = .drain }
        var text = subscriber.isChunked ? ChunkFraming.chunk(frame) : frame
        fanOut.metrics.bytesSent += UInt64(text.utf8.count)
        text.withUTF8 { hold(UnsafeRawBufferPointer($0), for: subscriber) }
    }

    /// Takes a subscriber off the list, once.
    func remove(_ subscriber: Subscriber, _ reason: StreamMetrics.Closed) {
        guard !subscriber.isClosed else { return }
        subscriber.isClosed = true
        subscribers.swapAt(subscriber.index, subscribers.count - 1)
        subscribers[subscriber.index].index = subscriber.index
        subscribers.removeLast()
        feed.countSubscriber(-1)
        subscriber.interest.lose()
        subscriber.ticket.release()
        fanOut.metrics.closed[reason, default: 0] += 1
    }

    /// Has streams start that waited until someone could tell where.
    private func settle() {
        for subscriber in subscribers where subscriber.state == nil {
            settle(subscriber)
        }
    }

    private func settle(_ subscriber: Subscriber) {
        guard subscriber.state == nil, !subscriber.isClosed, !subscriber.isSettling else { return }
        subscriber.isSettling = true
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        StreamStart(feed: feed, group: self).resolve(subscriber.query, subscriber.policy).whenComplete { result in
            let (group, subscriber) = bound.value
            subscriber.isSettling = false
            // Otherwise the next tick asks again.
            if case .success(let start?) = result { group.begin(subscriber, start) }
        }
    }

    private func begin(_ subscriber: Subscriber, _ start: StreamStart.Resolution) {
        guard subscriber.state == nil, !subscriber.isClosed else { return }
        subscriber.state = start.state
        if let reset = start.reset {
            tell(reset, to: subscriber)
            subscriber.state?.wasReset(reset, in: view)
        } else {
            write(ControlFrame.checkpoint(start.state.id), to: subscriber)
        }
        pump(subscriber)
    }

    /// Tries again what could not be read, less and less often.
    private func later(attempt: Int, _ body: @escaping @Sendable () -> Void) {
        let delay = Int64.random(in: Self.retryDelay) << min(attempt - 1, 5)
        eventLoop.scheduleTask(in: .milliseconds(delay), body)
    }

    private func tell(_ reset: Reset, to subscriber: Subscriber) {
        countReset(reset.reason)
        write(ControlFrame.reset(feed: feed.name, reset), to: subscriber)
    }

    /// Counts a reset that a client was told of.
    func countReset(_ reason: ResetReason) {
        figures.resets[reason, default: 0] += 1
    }

    // MARK: - The pump

    /// Sends a subscriber what there is for it, as long as its connection takes it.
    func pump(_ subscriber: Subscriber) {
        // What it calls may call back, such as a source that answers at once: the round under way sees to it.
        guard !subscriber.isPumping else { return }
        subscriber.isPumping = true
        defer { subscriber.isPumping = false }
        while !subscriber.isBlocked, !subscriber.isClosed {
            if let reason = subscriber.ending {
                end(subscriber, reason)
                return
            }
            guard var ahead = subscriber.state else { return }
            var bytes = 0
            batch.removeAll(keepingCapacity: true)
            var step = ahead.next(in: view)
            // Takes over a generation in which the stream goes on exactly, before anything of it is recorded.
            subscriber.state = ahead
            while case .send(let slice) = step, batch.count < SocketWriter.pieceLimit, bytes < Self.batchBytes {
                if slice.events.isEmpty, batch.isEmpty {
                    subscriber.state?.sent(slice, events: 0)
                } else {
                    batch.append(slice)
                    bytes += slice.bytes.count
                }
                ahead.sent(slice, events: slice.events.count)
                step = ahead.next(in: view)
            }
            guard batch.isEmpty else {
                flush(subscriber)
                continue
            }
            switch step {
            case .send:
                continue
            case .wait:
                return
            case .read(let after, let through):
                subscriber.state?.requestedPage()
                request(after: after, through: through, for: subscriber)
            case .reset(let reset):
                tell(reset, to: subscriber)
                subscriber.state?.wasReset(reset, in: view)
            case .end(let reason):
                end(subscriber, reason)
                return
            }
        }
    }

    /// Hands the batch to the kernel, and what is left of an event that was cut to the channel.
    private func flush(_ subscriber: Subscriber) {
        let result =
            batch.count == 1 && subscriber.isChunked
            ? SocketWriter.send(
                UnsafeRawBufferPointer(rebasing: batch[0].segment.bytes[batch[0].bytes]),
                to: subscriber.descriptor
            )
            : subscriber.isChunked ? SocketWriter.send(batch, to: subscriber.descriptor) : nil
        guard let result else {
            flushUnframed(subscriber)
            return
        }
        guard case .sent(var count) = result else {
            subscriber.connection.abort()
            return
        }
        if count > 0 { subscriber.lastProgress = fanOut.now }
        fanOut.metrics.bytesSent += UInt64(count)
        for slice in batch {
            let range = slice.bytes
            if count >= range.count {
                count -= range.count
                record(slice, events: slice.events.count, for: subscriber)
                continue
            }
            // The event that the cut is in, or that comes first, goes through the channel, which tells when the kernel
            // takes bytes again.
            let cut = range.lowerBound + count
            var events = slice.segment.events[slice.events].firstIndex { $0.end > cut } ?? slice.events.lowerBound
            let end = slice.segment.events[events].end
            events += 1 - slice.events.lowerBound
            record(slice, events: events, for: subscriber)
            fanOut.metrics.bytesSent += UInt64(end - cut)
            hold(UnsafeRawBufferPointer(rebasing: slice.segment.bytes[cut..<end]), for: subscriber)
            return
        }
    }

    private func record(_ slice: SubscriberState.Slice, events: Int, for subscriber: Subscriber) {
        subscriber.state?.sent(slice, events: events)
        figures.eventsSent += UInt64(events)
    }

    /// HTTP/1.0 knows no chunks: one piece at a time, through the channel.
    private func flushUnframed(_ subscriber: Subscriber) {
        let slice = batch[0]
        let plain = ChunkFraming.unframed(UnsafeRawBufferPointer(rebasing: slice.segment.bytes[slice.bytes]))
        record(slice, events: slice.events.count, for: subscriber)
        fanOut.metrics.bytesSent += UInt64(plain.count)
        plain.withUnsafeBytes { hold($0, for: subscriber) }
    }

    /// Leaves bytes to the channel; the subscriber waits until the kernel took them.
    private func hold(_ bytes: UnsafeRawBufferPointer, for subscriber: Subscriber) {
        var buffer = subscriber.channel.allocator.buffer(capacity: bytes.count)
        buffer.writeBytes(bytes)
        subscriber.heldWrites += 1
        subscriber.unacknowledged = nil
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        subscriber.connection.write(buffer).whenComplete { result in
            let (group, subscriber) = bound.value
            guard case .success = result, !subscriber.isClosed else { return }
            subscriber.heldWrites -= 1
            subscriber.lastProgress = .now()
            // Not from inside the pump: most writes complete at once.
            group.eventLoop.execute { bound.value.0.pump(bound.value.1) }
        }
    }

    /// Sends a frame that only this client gets.
    private func write(_ frame: String, to subscriber: Subscriber) {
        var text = subscriber.isChunked ? ChunkFraming.chunk(frame) : frame
        subscriber.lastProgress = fanOut.now
        text.withUTF8 { bytes in
            fanOut.metrics.bytesSent += UInt64(bytes.count)
            let bytes = UnsafeRawBufferPointer(bytes)
            if subscriber.isBlocked {
                hold(bytes, for: subscriber)
                return
            }
            switch SocketWriter.send(bytes, to: subscriber.descriptor) {
            case .sent(let count):
                if count < bytes.count { hold(UnsafeRawBufferPointer(rebasing: bytes[count...]), for: subscriber) }
            case .failed:
                subscriber.connection.abort()
            }
        }
    }

    private func request(after: Position, through: Position, for subscriber: Subscriber) {
        let generation = view.history.current
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        let page = feed.source.page(
            after: after,
            through: through,
            generation: generation,
            for: subscriber.interest,
            on: eventLoop
        )
        page.whenComplete { result in
            let (group, subscriber) = bound.value
            guard !subscriber.isClosed else { return }
            switch result {
            case .success(let segment) where segment.generation == generation && segment.through > segment.after:
                group.fanOut.updateNow()
                subscriber.failedPages = 0
                subscriber.state?.received(segment)
                group.pump(subscriber)
            case .success, .failure:
                subscriber.failedPages += 1
                group.later(attempt: subscriber.failedPages) {
                    let (group, subscriber) = bound.value
                    subscriber.state?.received(nil)
                    group.pump(subscriber)
                }
            }
        }
    }

    // MARK: - Time and ends

    /// Sees to heartbeats, greatest ages and clients that take nothing.
    func tick(_ options: ServerOptions) {
        let now = fanOut.now
        let heartbeat = TimeAmount(options.heartbeatInterval)
        if subscribers.contains(where: { $0.state == nil }), feed.status.isCurrent { settle() }
        for index in subscribers.indices.reversed() where index < subscribers.count {
            let subscriber = subscribers[index]
            if let endsAt = subscriber.endsAt, now >= endsAt, subscriber.ending == nil {
                subscriber.ending = .age
                pump(subscriber)
            } else if subscriber.isBlocked {
                watchBlocked(subscriber, options)
            } else if now - subscriber.lastProgress >= heartbeat {
                beat(subscriber)
            }
        }
    }

    /// Sends a comment, and where the stream stands if the client doesn't know.
    func beat(_ subscriber: Subscriber) {
        guard !subscriber.isBlocked, !subscriber.isClosed else { return }
        var frame = ControlFrame.heartbeat
        if let state = subscriber.state, state.needsCheckpoint {
            frame = ControlFrame.checkpoint(state.id) + frame
            subscriber.state?.checkpointed()
        }
        write(frame, to: subscriber)
    }

    private func watchBlocked(_ subscriber: Subscriber, _ options: ServerOptions) {
        subscriber.state?.releasePage()
        let pending = SocketWriter.unacknowledged(subscriber.descriptor)
        if pending != subscriber.unacknowledged {
            subscriber.unacknowledged = pending
            subscriber.lastProgress = fanOut.now
        }
        guard let limit = options.limits.writeTimeout, fanOut.now - subscriber.lastProgress >= TimeAmount(limit) else {
            return
        }
        remove(subscriber, .writeTimeout)
        subscriber.connection.abort()
    }

    /// Ends a stream in order: tells why, then the final chunk.
    private func end(_ subscriber: Subscriber, _ reason: EndReason) {
        var frame = ControlFrame.end(reason, id: subscriber.state?.id)
        if subscriber.isChunked { frame = ChunkFraming.chunk(frame) + ChunkFraming.end }
        remove(subscriber, StreamMetrics.Closed(reason))
        fanOut.metrics.bytesSent += UInt64(frame.utf8.count)
        // No further request is answered on a connection whose server goes away.
        subscriber.connection.endStream(with: frame, staysOpen: reason != .drain && reason != .age)
    }

    /// Ends every stream, each as soon as its connection takes the bytes.
    func drain() {
        for subscriber in subscribers {
            subscriber.ending = .drain
        }
        for index in subscribers.indices.reversed() where index < subscribers.count {
            pump(subscribers[index])
        }
    }

    /// The figures with what only a count tells.
    func snapshot() -> StreamMetrics.FeedFigures {
        var figures = figures
        for subscriber in subscribers {
            guard let state = subscriber.state else { continue }
            if state.isLive(in: view) { figures.live += 1 } else { figures.replaying += 1 }
            figures.furthestBehind = min(figures.furthestBehind ?? state.position, state.position)
        }
        return figures
    }
}
