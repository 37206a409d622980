// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// The subscribers of one feed on one event loop, and that loop's view of the feed.
///
/// ``pump(_:)`` is the one rule: while the connection takes bytes: at the head, wait; inside the tail, send the shared
/// bytes from there on; behind it, ask the source for the next page. Those who wait at the head do so in a ``Cohort``,
/// which is pumped as if it were one. Everything here happens on the event loop.
final class FeedGroup {
    let feed: Feed
    let eventLoop: any EventLoop
    unowned let fanOut: FanOut
    private(set) var view: FeedView
    /// Those who wait at the head.
    var cohort = Cohort()
    /// All others.
    var stragglers: [Subscriber] = []
    /// What is being sent; kept for its memory.
    var batch = SendBatch()
    /// What went through channels last, with chunk framing and without.
    var pieces = (chunked: SharedPiece(isChunked: true), plain: SharedPiece(isChunked: false))
    /// Why no stream of this feed goes on, once that is so.
    var ending: EndReason?
    private var isPumpDue = false
    private var undelivered: [ContinuousClock.Instant] = []
    var figures = StreamMetrics.FeedFigures()

    init(feed: Feed, fanOut: FanOut) {
        self.feed = feed
        self.fanOut = fanOut
        eventLoop = fanOut.eventLoop
        view = FeedView(tailBytes: feed.options.tailBytes)
    }

    /// Begins to follow the feed.
    func observe() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        view = feed.observe(on: eventLoop) { bound.value.take($0) }
    }

    private func take(_ news: FeedNews) {
        // Each of them decides for itself whether it goes on exactly.
        if case .generation = news { disband() }
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
        pumpCohort()
        // From the end, as one that ends or gets to the head leaves its place to the last one.
        for index in stragglers.indices.reversed() where index < stragglers.count {
            pump(stragglers[index])
        }
        let now = ContinuousClock.now
        // A loop without subscribers delivers nothing.
        for foundAt in undelivered where figures.eventsSent > sentBefore {
            fanOut.metrics.delivery.record(now - foundAt)
        }
        undelivered.removeAll(keepingCapacity: true)
    }

    // MARK: - Subscribers

    /// Whether nobody has a stream of this feed on this loop.
    var isEmpty: Bool { cohort.members.isEmpty && stragglers.isEmpty }

    /// Takes a subscriber whose response head was written, and sends its first frame with it.
    func add(_ subscriber: Subscriber, firstFrame frame: String) {
        straggle(subscriber)
        feed.countSubscriber(1)
        // Told where it stands and ended in order, it comes back; a browser would not after any other status than 200.
        if let ending {
            subscriber.ending = ending
            fanOut.keep(self)
        } else if !isPermitted(subscriber, under: fanOut.options.access) {
            // The tokens changed while its start was looked up.
            subscriber.ending = .unauthorized
        }
        let text = subscriber.isChunked ? ChunkFraming.chunk(frame) : frame
        fanOut.metrics.bytesSent += UInt64(text.utf8.count)
        hold(ByteBuffer(string: text), for: subscriber)
    }

    /// Puts a subscriber on the list of those who go on by themselves.
    func straggle(_ subscriber: Subscriber) {
        subscriber.index = stragglers.count
        stragglers.append(subscriber)
    }

    /// Has a subscriber go on by itself, as what comes next for it isn't what comes next for those at the head.
    func separate(_ subscriber: Subscriber) {
        guard subscriber.isInCohort else { return }
        cohort.leave(subscriber)
        straggle(subscriber)
    }

    /// Has everyone go on by themselves.
    func disband() {
        for subscriber in cohort.dissolve() { straggle(subscriber) }
    }

    /// Takes a subscriber off the list, once.
    func remove(_ subscriber: Subscriber, _ reason: StreamMetrics.Closed) {
        guard !subscriber.isClosed else { return }
        subscriber.isClosed = true
        if subscriber.isInCohort { cohort.leave(subscriber) } else { stragglers.swapRemove(subscriber) }
        feed.countSubscriber(-1)
        subscriber.interest?.lose()
        // A stream of several feeds is one stream.
        if let part = subscriber.connection as? CombinedStream.Part {
            part.left(reason)
        } else {
            fanOut.metrics.closed[reason, default: 0] += 1
        }
        subscriber.onClose()
    }

    /// Has streams start that waited until someone could tell where.
    func settle() {
        for subscriber in stragglers where subscriber.state == nil {
            settle(subscriber)
        }
    }

    private func settle(_ subscriber: Subscriber) {
        guard let request = subscriber.undecided, !subscriber.isClosed, !subscriber.isSettling else { return }
        subscriber.isSettling = true
        let bound = NIOLoopBound((self, subscriber), eventLoop: eventLoop)
        StreamStart(feed: feed, group: self).resolve(request.query, request.policy).whenComplete { result in
            let (group, subscriber) = bound.value
            subscriber.isSettling = false
            // Otherwise the next tick asks again.
            if case .success(let start?) = result { group.begin(subscriber, start) }
        }
    }

    private func begin(_ subscriber: Subscriber, _ start: StreamStart.Resolution) {
        guard subscriber.state == nil, !subscriber.isClosed else { return }
        subscriber.state = start.state
        subscriber.undecided = nil
        if let reset = start.reset {
            tell(reset, to: subscriber)
            subscriber.state?.wasReset(reset, in: view)
        } else {
            write(ControlFrame.checkpoint(start.state.id), to: subscriber)
        }
        pump(subscriber)
    }

    func tell(_ reset: Reset, to subscriber: Subscriber) {
        countReset(reset.reason)
        write(ControlFrame.reset(feed: feed.name, reset), to: subscriber)
    }

    /// Counts a reset that a client was told of.
    func countReset(_ reason: ResetReason, _ count: UInt64 = 1) {
        guard count > 0 else { return }
        figures.resets[reason, default: 0] += count
    }

    /// The figures with what only a count tells.
    func snapshot() -> StreamMetrics.FeedFigures {
        var figures = figures
        for subscriber in cohort.members { cohort.update(subscriber) }
        for subscriber in cohort.members + stragglers {
            guard let state = subscriber.state else { continue }
            if state.isLive(in: view) { figures.live += 1 } else { figures.replaying += 1 }
            figures.furthestBehind = min(figures.furthestBehind ?? state.position, state.position)
        }
        return figures
    }
}
