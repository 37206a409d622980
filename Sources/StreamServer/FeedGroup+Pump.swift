// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// What is sent to whom.
extension FeedGroup {
    /// How long to wait, in milliseconds, before what could not be read is asked for again.
    private static let retryDelay: ClosedRange<Int64> = 50...250

    /// Sends a subscriber what there is for it, as long as its connection takes it.
    func pump(_ subscriber: Subscriber) {
        // What it calls may call back, such as a source that answers at once: the round under way sees to it.
        guard !subscriber.isPumping else { return }
        subscriber.isPumping = true
        defer { subscriber.isPumping = false }
        separate(subscriber)
        while !subscriber.isBlocked, !subscriber.isClosed {
            if let reason = subscriber.ending {
                end(subscriber, reason)
                return
            }
            guard var state = subscriber.state else { return }
            let step = batch.fill(for: &state, in: view).step
            subscriber.state = state
            guard batch.isEmpty else {
                flush(subscriber)
                continue
            }
            switch step {
            case .send:
                continue
            case .wait:
                if state.position == view.head, cohort.takes(subscriber) {
                    stragglers.swapRemove(subscriber)
                    cohort.join(subscriber)
                }
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

    /// Sends those at the head what there is for all of them; no connection of theirs holds anything back.
    func pumpCohort() {
        while let (ahead, step) = cohort.fill(&batch, in: view) {
            guard !batch.isEmpty else {
                switch step {
                case .send: continue
                case .wait: return
                case .read, .reset, .end: return disband()
                }
            }
            let short = cohort.send(batch, ahead: ahead, at: fanOut.now)
            let complete = UInt64(cohort.members.count)
            figures.eventsSent += complete * UInt64(batch.eventCount)
            for slice in batch.slices {
                countReset(.rewound, complete * UInt64(slice.segment.resets(in: slice.events)))
            }
            fanOut.metrics.bytesSent += complete * UInt64(batch.byteCount)
            for (subscriber, result) in short {
                straggle(subscriber)
                conclude(result, for: subscriber)
            }
        }
    }

    /// Hands the batch to the kernel.
    private func flush(_ subscriber: Subscriber) {
        guard subscriber.isChunked, let descriptor = subscriber.descriptor else {
            flushPiece(subscriber)
            return
        }
        conclude(SocketWriter.send(batch, to: descriptor), for: subscriber)
    }

    /// Records what of the batch the kernel took, and leaves the rest of an event that was cut to the channel.
    private func conclude(_ result: SocketWriter.Result, for subscriber: Subscriber) {
        var count: Int
        switch result {
        case .sent(let taken): count = taken
        case .failed(let error): return lose(subscriber, error)
        }
        if count > 0 { subscriber.lastProgress = fanOut.now }
        fanOut.metrics.bytesSent += UInt64(count)
        for slice in batch.slices {
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
        let sent = slice.events.prefix(events)
        countReset(.rewound, UInt64(slice.segment.resets(in: sent.startIndex..<sent.endIndex)))
    }

    /// Hands one piece to the channel, where bytes aren't sent as they stand in the segment.
    private func flushPiece(_ subscriber: Subscriber) {
        let slice = batch.slices[0]
        let (events, buffer) = subscriber.isChunked ? pieces.chunked.take(from: slice) : pieces.plain.take(from: slice)
        record(slice, events: events, for: subscriber)
        fanOut.metrics.bytesSent += UInt64(buffer.readableBytes)
        hold(buffer, for: subscriber)
    }

    /// Leaves bytes to the channel; the subscriber waits until the kernel took them.
    private func hold(_ bytes: UnsafeRawBufferPointer, for subscriber: Subscriber) {
        hold(ByteBuffer(bytes: bytes), for: subscriber)
    }

    /// Leaves bytes to the channel; the subscriber waits until the kernel took them.
    func hold(_ buffer: ByteBuffer, for subscriber: Subscriber) {
        separate(subscriber)
        subscriber.heldWrites += 1
        subscriber.unacknowledged = nil
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        subscriber.connection.write(buffer).whenComplete { result in
            let (group, subscriber) = bound.value
            guard !subscriber.isClosed else { return }
            if case .failure(let error) = result {
                // The connection says next that it is gone, but not why.
                group.remove(subscriber, StreamMetrics.Closed(error))
                return
            }
            subscriber.heldWrites -= 1
            subscriber.lastProgress = .now()
            // Most writes complete at once: then the pump under way goes on by itself.
            guard !subscriber.isPumping else { return }
            group.eventLoop.execute { bound.value.0.pump(bound.value.1) }
        }
    }

    /// Sends a frame that only this client gets.
    func write(_ frame: String, to subscriber: Subscriber) {
        var text = subscriber.isChunked ? ChunkFraming.chunk(frame) : frame
        subscriber.lastProgress = fanOut.now
        if subscriber.isInCohort { cohort.progressed(subscriber, at: fanOut.now) }
        text.withUTF8 { bytes in
            fanOut.metrics.bytesSent += UInt64(bytes.count)
            let bytes = UnsafeRawBufferPointer(bytes)
            guard let descriptor = subscriber.descriptor, !subscriber.isBlocked else {
                hold(bytes, for: subscriber)
                return
            }
            switch SocketWriter.send(bytes, to: descriptor) {
            case .sent(let count):
                if count < bytes.count { hold(UnsafeRawBufferPointer(rebasing: bytes[count...]), for: subscriber) }
            case .failed(let error):
                lose(subscriber, error)
            }
        }
    }

    /// Lets go of a subscriber whose socket failed.
    private func lose(_ subscriber: Subscriber, _ error: CInt) {
        remove(subscriber, StreamMetrics.Closed(errno: error))
        subscriber.connection.abort()
    }

    private func request(after: Position, through: Position, for subscriber: Subscriber) {
        let generation = view.history.current
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        let page = feed.source.page(
            after: after,
            through: through,
            generation: generation,
            for: subscriber.interestInPages(),
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

    /// Tries again what could not be read, less and less often.
    private func later(attempt: Int, _ body: @escaping @Sendable () -> Void) {
        let delay = Int64.random(in: Self.retryDelay) << min(attempt - 1, 5)
        eventLoop.scheduleTask(in: .milliseconds(delay), body)
    }
}
