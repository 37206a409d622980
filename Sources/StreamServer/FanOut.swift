// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RowtailCore

/// All streams of one event loop: a group for each feed, and one timer for all of them.
final class FanOut {
    let eventLoop: any EventLoop
    private(set) var groups: [String: FeedGroup] = [:]
    private(set) var now = NIODeadline.now()
    private(set) var isDraining = false
    var metrics = StreamMetrics()
    private let options: ServerOptions
    private var timer: RepeatedTask?
    private var busyConnections = 0
    private var emptied: [EventLoopPromise<Void>] = []

    init(feeds: [Feed], options: ServerOptions, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.options = options
        for feed in feeds {
            groups[feed.name] = FeedGroup(feed: feed, fanOut: self)
        }
    }

    /// Begins to follow the feeds; before they are polled.
    func start() {
        for group in groups.values {
            group.observe()
        }
        let heartbeat = TimeAmount(options.heartbeatInterval).nanoseconds
        let interval = TimeAmount.nanoseconds(min(max(heartbeat / 10, 10_000_000), 1_000_000_000))
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.tick() }
    }

    /// Looks at the clock, once for many subscribers.
    func updateNow() {
        now = .now()
    }

    private func tick() {
        updateNow()
        for group in groups.values where !group.isEmpty {
            group.tick(options)
        }
    }

    /// Ends every stream in order.
    func drain() {
        isDraining = true
        updateNow()
        for group in groups.values {
            group.drain()
        }
    }

    /// Succeeds when no connection has anything left to send, or the time is up.
    func whenEmpty(before deadline: NIODeadline) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        guard busyConnections > 0 else {
            promise.succeed()
            return promise.futureResult
        }
        emptied.append(promise)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: deadline) { bound.value.succeedEmptied() }
        return promise.futureResult
    }

    private func succeedEmptied() {
        let promises = emptied
        emptied = []
        for promise in promises { promise.succeed() }
    }

    /// Counts a connection that has something to send in (1) or out (-1).
    func countBusy(_ change: Int) {
        busyConnections += change
        if busyConnections == 0 { succeedEmptied() }
    }

    /// Stops the timer.
    func stop() {
        timer?.cancel()
        timer = nil
    }

    /// What was counted so far.
    func snapshot() -> StreamMetrics {
        var metrics = metrics
        for (name, group) in groups {
            metrics.feeds[name] = group.snapshot()
        }
        return metrics
    }
}
