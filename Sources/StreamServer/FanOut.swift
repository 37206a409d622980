// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RowtailCore

/// All streams of one event loop: a group for each feed, and one timer for all of them.
final class FanOut {
    let eventLoop: any EventLoop
    private(set) var groups: [String: FeedGroup] = [:]
    /// Groups of feeds that are not served any more, until their last streams are gone.
    private var retired: [FeedGroup] = []
    private(set) var now = NIODeadline.now()
    private(set) var isDraining = false
    /// What answers say of the time.
    var date = HTTPDate()
    var metrics = StreamMetrics()
    /// What is served, and how.
    private(set) var router: Router
    private var timer: RepeatedTask?
    private var busyConnections = 0
    /// Connections whose first request isn't here yet.
    private var freshConnections = 0
    private var waitsForFresh = true
    /// The HTTP/2 connections, whose clients are told of a drain ahead of their streams' ends.
    private var multiplexed: [ObjectIdentifier: HTTP2Connection] = [:]
    private var emptied: [EventLoopPromise<Void>] = []

    /// Begins to follow the router's feeds; before they are polled.
    init(_ router: Router, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.router = router
        groups = follow(router.feeds)
        startTimer()
    }

    /// Serves something else from now on: streams of feeds that are the same go on, those of all others end.
    func serve(_ router: Router) {
        guard !isDraining else { return }
        updateNow()
        let (old, oldInterval) = (groups, options.heartbeatInterval)
        self.router = router
        groups = follow(router.feeds)
        let gone = old.filter { groups[$0.key] !== $0.value }.map(\.value)
        retired += gone
        for group in gone {
            group.endAll(.reload)
        }
        for group in groups.values { group.revoke(under: options.access) }
        // Not at each reload, or many in a row would keep it from ever firing.
        guard router.options.heartbeatInterval != oldInterval else { return }
        timer?.cancel()
        startTimer()
    }

    /// Sees to a group that is served no more but got a stream that was being opened meanwhile.
    func keep(_ group: FeedGroup) {
        guard groups[group.feed.name] !== group, !retired.contains(where: { $0 === group }) else { return }
        retired.append(group)
    }

    private func follow(_ feeds: [Feed]) -> [String: FeedGroup] {
        Dictionary(
            feeds.map { feed in
                if let group = groups[feed.name], group.feed === feed { return (feed.name, group) }
                let group = FeedGroup(feed: feed, fanOut: self)
                group.observe()
                return (feed.name, group)
            },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// The configuration that is in force.
    var options: ServerOptions { router.options }

    private func startTimer() {
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
        retired.removeAll(where: \.isEmpty)
        for group in retired {
            group.tick(options)
        }
    }

    /// How long the first request of a connection is waited for that was made just before the drain.
    private static let graceTime = TimeAmount.milliseconds(250)

    /// Ends every stream in order, and those in order whose requests are just coming: their clients connected when nothing
    /// said that the daemon would end, and closing would reset connections whose requests weren't read.
    ///
    /// - Returns: Succeeds when no connection has anything left to send, or the time is up.
    func drain(before deadline: NIODeadline) -> EventLoopFuture<Void> {
        isDraining = true
        updateNow()
        for connection in multiplexed.values {
            connection.drain()
        }
        for group in groups.values {
            group.endAll(.drain)
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: min(deadline, .now() + Self.graceTime)) { bound.value.endGrace() }
        return whenEmpty(before: deadline).map { bound.value.stop() }
    }

    /// Succeeds when no connection has anything left to send, or the time is up.
    private func whenEmpty(before deadline: NIODeadline) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        guard !isEmpty else {
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
        if isEmpty { succeedEmptied() }
    }

    /// Counts a connection in (1) that was made, and out (-1) when its first request is here or it is closed.
    func countFresh(_ change: Int) {
        freshConnections += change
        if isEmpty { succeedEmptied() }
    }

    private func endGrace() {
        waitsForFresh = false
        if isEmpty { succeedEmptied() }
    }

    private var isEmpty: Bool { busyConnections == 0 && (freshConnections == 0 || !waitsForFresh) }

    /// Remembers an HTTP/2 connection until it is closed.
    func opened(_ connection: HTTP2Connection) {
        multiplexed[ObjectIdentifier(connection)] = connection
    }

    /// Forgets an HTTP/2 connection.
    func closed(_ connection: HTTP2Connection) {
        multiplexed[ObjectIdentifier(connection)] = nil
    }

    private func stop() {
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
