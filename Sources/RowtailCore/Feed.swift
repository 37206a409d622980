// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import Synchronization

/// A configured table that clients can subscribe to: where its source and its subscribers meet.
///
/// The source hands over segments and changes of state; the feed announces them once to every event loop that
/// observes it, in the order in which they came. It keeps no rows itself: each event loop has a ``FeedView`` with the
/// tail, whose segments are shared. Sources call in from one thread at a time; anyone may ask for ``status``.
package final class Feed: Sendable {
    /// What the configuration says of a feed that its subscribers care about.
    package struct Options: Sendable, Hashable {
        /// The name in URLs, logs and metrics.
        package var name: String

        /// The table watched.
        package var table: String

        /// What the feed guarantees.
        package var mode: FeedMode

        /// The `event:` of its rows; `nil` for none.
        package var event: String?

        /// Where streams start that don't say.
        package var start: StartPoint

        /// Where streams go on when continuity breaks and they don't say.
        package var onReset: ResetPolicy

        /// Whether clients are told to go away for good.
        package var isRetired: Bool

        /// The memory that each event loop's tail may refer to, in bytes.
        package var tailBytes: Int

        /// Collects the options.
        package init(
            name: String,
            table: String,
            mode: FeedMode = .append,
            event: String? = nil,
            start: StartPoint = .latest,
            onReset: ResetPolicy = .earliest,
            isRetired: Bool = false,
            tailBytes: Int = 8 << 20
        ) {
            self.name = name
            self.table = table
            self.mode = mode
            self.event = event
            self.start = start
            self.onReset = onReset
            self.isRetired = isRetired
            self.tailBytes = tailBytes
        }
    }

    /// Takes news on an event loop.
    package typealias Observer = @Sendable (FeedNews) -> Void

    private struct State {
        var status = FeedStatus()
        var rate = RowRate()
        var observers: [(eventLoop: any EventLoop, observer: Observer)] = []
        var firstPollWaiters: [EventLoopPromise<Void>] = []
        var isClosed = false
    }

    /// The configuration.
    package let options: Options

    /// Where rows older than the tail are read.
    package let source: any FeedSource

    private let state = Mutex(State())
    private let subscribers = Atomic(0)

    /// A feed without observers.
    package init(options: Options, source: any FeedSource) {
        self.options = options
        self.source = source
    }

    /// The name in URLs, logs and metrics.
    package var name: String {
        options.name
    }

    /// The figures at this moment.
    package var status: FeedStatus {
        state.withLock { $0.status }
    }

    /// How many rows came lately, as ``RowRate/counts(at:)`` tells it.
    ///
    /// While nobody listens no row is read, and positions are counted instead: those that no row has, or that `where` passes
    /// over, as well. Where positions are no numbers, nobody knows.
    package func recentRows(at now: ContinuousClock.Instant = .now) -> [Int?] {
        state.withLock { $0.rate.counts(at: now) }
    }

    // MARK: - For subscribers

    /// How many streams there are; with none, the source moves the head and reads no rows.
    package var subscriberCount: Int {
        subscribers.load(ordering: .relaxed)
    }

    /// Counts a stream in (1) or out (-1).
    package func countSubscriber(_ change: Int) {
        subscribers.add(change, ordering: .relaxed)
    }

    /// Has all further news delivered to an event loop.
    ///
    /// - Returns: What came before: the view to apply the news to. Its tail is empty, as observers are there before the
    ///   source starts.
    package func observe(on eventLoop: any EventLoop, _ observer: @escaping Observer) -> FeedView {
        state.withLock { state in
            if !state.isClosed { state.observers.append((eventLoop, observer)) }
            var view = FeedView(tailBytes: options.tailBytes)
            if state.status.knowsHead {
                view.apply(.generation(state.status.history, head: state.status.head))
                view.apply(.pruned(through: state.status.earliest))
            }
            return view
        }
    }

    /// Succeeds once the first poll came to an end, whatever came of it, or the feed was closed.
    package func firstPoll(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let isOver = state.withLock { state in
            let isOver = state.status.wasPolled || state.isClosed
            if !isOver { state.firstPollWaiters.append(promise) }
            return isOver
        }
        if isOver {
            promise.succeed()
        }
        return promise.futureResult
    }

    // MARK: - For the source

    /// Hands over the rows just after the head, or, at start, the newest ones before it.
    package func publish(_ segment: Segment) {
        announce(.segment(segment)) { state in
            if segment.through > state.status.head {
                state.status.head = segment.through
                state.status.rows += UInt64(segment.events.count)
                state.rate.count(segment.events.count)
            }
        }
    }

    /// Moves the head past rows that nobody listens for.
    package func advance(to head: Position) {
        announce(.advanced(head)) { state in
            state.rate.count(Self.passed(from: state.status.head, to: head))
            state.status.head = head
        }
    }

    /// Starts a generation, or takes up the one that was stored.
    ///
    /// Everything is to be had until ``prune(through:)`` says otherwise.
    package func begin(_ history: GenerationHistory, head: Position) {
        announce(.generation(history, head: head)) { state in
            state.status.history = history
            state.status.head = head
            state.status.earliest = .earliest
            state.status.knowsHead = true
        }
    }

    /// Tells that nothing up to a position is to be had any more.
    package func prune(through position: Position) {
        announce(.pruned(through: position)) { state in
            state.status.earliest = position
            state.status.head = max(state.status.head, position)
        }
    }

    /// Records rows that came too late to be sent, how many are held back as they come too early, up to where no more are
    /// expected, and how many values a position has.
    package func counted(late: Int, future: Int, settledThrough: KeyValue?, positionValues: Int?) {
        state.withLock { state in
            state.status.positionValues = positionValues
            state.status.settledThrough = settledThrough
            state.status.lateRows += UInt64(late)
            state.status.futureRows = future
        }
    }

    /// Records what came of a poll, and how the feed fares now; the timestamp is in seconds since 1970.
    ///
    /// - Returns: Whether the state changed, so that the caller logs changes once.
    @discardableResult
    package func polled(
        _ result: PollResult,
        state newState: FeedState? = nil,
        took duration: Duration,
        timestamp: Double
    ) -> Bool {
        let (changed, waiters) = state.withLock { state in
            var changed = false
            if let newState, newState != state.status.state {
                changed = true
                state.status.state = newState
                if let reason = newState.reason { state.status.lastError = reason }
            }
            state.status.polls[result, default: 0] += 1
            state.status.pollSeconds.record(duration)
            let isCurrent = result == .rows || result == .quiet
            state.status.isCurrent = isCurrent
            if isCurrent {
                state.status.lastSuccess = .now
                state.status.lastSuccessTimestamp = timestamp
                state.status.knowsHead = true
            }
            state.status.wasPolled = true
            defer { state.firstPollWaiters = [] }
            return (changed, state.firstPollWaiters)
        }
        for waiter in waiters {
            waiter.succeed()
        }
        return changed
    }

    /// Lets go of everyone who observes the feed, as it is not served any more.
    package func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            state.observers = []
            defer { state.firstPollWaiters = [] }
            return state.firstPollWaiters
        }
        for waiter in waiters {
            waiter.succeed()
        }
    }

    /// How many positions the head moved past; `nil` where positions are no numbers or there was none.
    private static func passed(from old: Position, to new: Position) -> Int? {
        guard case .integer = old, case .integer = new else { return nil }
        // Ids may be as far apart as integers are.
        return Int(min(old.distance(to: new), 1e9))
    }

    private func announce(_ news: FeedNews, _ change: (inout State) -> Void) {
        let observers = state.withLock { state in
            change(&state)
            return state.observers
        }
        for (eventLoop, observer) in observers {
            eventLoop.execute { observer(news) }
        }
    }
}
