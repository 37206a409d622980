// SPDX-License-Identifier: Apache-2.0

import GRDB
package import Logging
package import NIOCore
package import RowtailCore
import Synchronization

/// Watches one database file for all feeds on it: one connection, one thread, one poll at a time.
///
/// The thread is an event loop's, which waits for its timers without waking another thread; SQLite's calls block it, so
/// nothing but pollers run on it.
///
/// A poll asks `PRAGMA data_version` first, which is all that a quiet one costs. Every tenth poll, and each one after the
/// file was opened, reads the tables whatever it says. Rows go to the ``Feed``s after the read transaction ended.
package actor DatabasePoller {
    /// How often the tables are read although `data_version` says that nothing happened.
    private static let forcedEvery = 10

    /// The event loop that the actor runs on, and nothing else.
    package nonisolated let eventLoop: any EventLoop

    /// The event loop as an executor.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        eventLoop.executor.asUnownedSerialExecutor()
    }

    /// The database file.
    package nonisolated let path: String

    private let clock: WallClock
    let state: StateDirectory?
    let logger: Logger
    private nonisolated let waiters = Mutex<[EventLoopPromise<Void>]>([])
    nonisolated let openings = Atomic(0)

    var feeds: [FeedPoll] = []
    var connection: DatabaseConnection?
    var lastStat: FileStat?
    var lastDataVersion: Int64?
    private var polls = 0
    var mustRead = true
    var mustReopen = false
    /// What the next opening of the file says of the time before; kept where it fails for a lock.
    var openingDoubt = Continuity.Evidence.unseen
    /// What is waited for before the file is opened anew.
    var reopening = Reopening.free
    private nonisolated let sharers = Mutex<[ReplayPool]>([])
    var busySince: ContinuousClock.Instant?
    var isBusyLogged = false
    var isStateFailureLogged = false
    var formats: [String: WatermarkFormat] = [:]
    var oddTimesLogged: [String: ContinuousClock.Instant] = [:]
    var onSchedule: (PollSchedule.Request) -> Void = { _ in }
    private var writer = ByteWriter()
    private(set) var isClosed = false
    /// When the last poll came to an end.
    private(set) var lastPolled = ContinuousClock.now

    /// A poller of a file that may not be there yet.
    ///
    /// - Parameters:
    ///   - path: The database file.
    ///   - state: Where records of the feeds are kept; `nil` for nowhere.
    ///   - logger: Gets changes of state, once each.
    ///   - eventLoop: What the poller runs on; reading blocks it.
    ///   - clock: What the times in rows are compared with.
    package init(
        path: String,
        state: StateDirectory?,
        logger: Logger,
        on eventLoop: any EventLoop,
        clock: WallClock = .system
    ) {
        self.path = path
        self.clock = clock
        self.state = state
        var logger = logger
        logger[metadataKey: "database"] = "\(path)"
        self.logger = logger
        self.eventLoop = eventLoop
    }

    /// Polls a feed from now on, which goes on where an earlier one of its name stopped if there is `heritage`.
    package func add(
        _ feed: Feed,
        watched: WatchedTable,
        framing: any EventFraming,
        heritage: FeedHeritage? = nil
    ) {
        let reader = TableReader(watched, path: path, framing: framing, clock: clock)
        feeds.append(FeedPoll(feed: feed, reader: reader, store: state, heritage: heritage))
    }

    /// Stores what a feed's next poller has to know, and polls it no more.
    ///
    /// - Returns: The same for a poller that finds nothing stored; `nil` when the feed was never polled.
    @discardableResult
    package func remove(_ feed: Feed) -> FeedHeritage? {
        guard let index = feeds.firstIndex(where: { $0.feed === feed }) else { return nil }
        settle([feeds[index]])
        let item = feeds.remove(at: index)
        formats[feed.name] = nil
        oddTimesLogged[feed.name] = nil
        return item.record.watermark > .earliest ? FeedHeritage(record: item.record) : nil
    }

    /// Stores what a later poller has to know, closes the database, and does nothing more.
    package func close() {
        guard !isClosed else { return }
        settle(feeds)
        isClosed = true
        // They hold their sources, which hold this.
        feeds = []
        onSchedule = { _ in }
        letGo()
        // Another poller may have taken the file over.
        for pool in pools { pool.resume(path) }
    }

    /// How often the file was opened: what another connection cached before the last time may be of a file that is gone.
    nonisolated var opened: Int {
        openings.load(ordering: .acquiring)
    }

    /// Has the file's connections in a pool closed when this has to let go of it for good.
    nonisolated func share(with pool: ReplayPool) {
        sharers.withLock { pools in
            if !pools.contains(where: { $0 === pool }) { pools.append(pool) }
        }
    }

    /// The pools that have connections to the file as well.
    nonisolated var pools: [ReplayPool] { sharers.withLock { $0 } }

    /// Has wishes for later polls told to a schedule.
    func report(to schedule: @escaping (PollSchedule.Request) -> Void) {
        onSchedule = schedule
    }

    /// Looks for news now.
    ///
    /// - Returns: Succeeds after a poll that began after this call. Calls that come while one waits share its poll.
    package nonisolated func refresh(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let isFirst = waiters.withLock { waiters in
            waiters.append(promise)
            return waiters.count == 1
        }
        if isFirst {
            self.eventLoop.execute { self.assumeIsolated { $0.pollForWaiters() } }
        }
        return promise.futureResult
    }

    /// Polls now, and tries a read that failed for a client, so that a feed of which it fails again is known as broken.
    nonisolated func examine(_ read: ReplayRead, of watched: WatchedTable) {
        eventLoop.execute {
            self.assumeIsolated { poller in
                guard let item = poller.feeds.first(where: { $0.reader.watched == watched }), item.unreadable == nil
                else { return }
                item.unreadable = UnreadableRows(read)
                item.mustRead = true
                poller.poll()
            }
        }
    }

    private func pollForWaiters() {
        let promises = waiters.withLock { waiters in
            defer { waiters = [] }
            return waiters
        }
        poll()
        for promise in promises {
            promise.succeed()
        }
    }

    // MARK: - One poll

    /// Checks once and hands over what is new.
    ///
    /// - Parameter refreshingAnchors: Whether the rows that prove the history are read again.
    package func poll(refreshingAnchors: Bool = false) {
        guard !isClosed else { return }
        defer { lastPolled = .now }
        let start = ContinuousClock.now
        polls += 1
        if polls.isMultiple(of: Self.forcedEvery) || refreshingAnchors { mustRead = true }
        do {
            let (connection, version) = try current()
            if version != lastDataVersion {
                mustRead = true
                for item in feeds {
                    item.anchorsAreStale = true
                    item.unreadable?.committed()
                }
                onSchedule(.committed)
            }
            let readsAll = mustRead
            mustRead = false
            lastDataVersion = version
            for item in feeds {
                if readsAll || item.mustRead || item.isDue || item.unreadable?.mayBeMended == true {
                    poll(item, connection, refreshingAnchors: refreshingAnchors, since: start)
                } else {
                    finish(item, .quiet, nil, since: start)
                }
            }
        } catch {
            let problem = SourceError(error, path: path)
            mustRead = true
            // A lock says nothing against the connection, which knows whether something was committed meanwhile.
            if problem.code != .busy { mustReopen = true }
            fail(feeds, problem, since: start)
        }
        if feeds.contains(where: { $0.anchorsAreStale || $0.isDirty }) {
            onSchedule(.upkeep)
        }
    }

    private func poll(
        _ item: FeedPoll,
        _ connection: DatabaseConnection,
        refreshingAnchors: Bool,
        since start: ContinuousClock.Instant
    ) {
        do {
            try item.load()
            var hasMore = true
            var result = PollResult.quiet
            while hasMore {
                let before = item.record.watermark
                let outcome = try connection.read {
                    try item.look($0, refreshingAnchors: refreshingAnchors, foundAt: start, writer: &writer)
                }
                logBreak(item, outcome)
                logOddTimes(item, outcome)
                hasMore = try item.hand(over: outcome, file: connection.identity) { try warm(item, connection) }
                if item.record.watermark != before { result = .rows }
            }
            if let wait = item.wait { onSchedule(.due(wait)) }
            let trouble = try trouble(item, connection)
            item.mustRead = false
            finish(item, result, trouble.map(FeedState.broken) ?? .live, since: start)
            noteSuccess()
        } catch {
            item.mustRead = true
            let problem = SourceError(error, path: path)
            // What SQLite says of the file, not of the query, may be over with another connection.
            if SourceError.concernsFile(error) { mustReopen = true }
            fail([item], problem, since: start)
        }
    }

    /// What is wrong with a feed whose new rows could be read all the same; `nil` when nothing is.
    private func trouble(_ item: FeedPoll, _ connection: DatabaseConnection) throws -> String? {
        guard item.record.watermark != .integer(.max) else {
            return "\(AppendCheck.exhausted.problem); \(AppendCheck.exhausted.remedy)"
        }
        guard let rows = item.unreadable else { return nil }
        guard rows.isDue else { return rows.reason }
        do {
            try retry(rows.read, of: item, connection)
            item.unreadable = nil
        } catch {
            let problem = SourceError(error, path: path)
            switch problem.code {
            case .busy: throw error
            case .broken where !SourceError.isTooSlow(error):
                let isOfRow = error is DatabaseError && !SourceError.concernsFile(error)
                let remedy = isOfRow ? "; correct or delete the row in question, or correct 'where'" : ""
                item.unreadable?.failed("rows that a client waits for can't be read: \(problem)\(remedy)")
            case .broken, .waiting: item.unreadable = nil
            }
        }
        return item.unreadable?.reason
    }

    private func retry(_ read: ReplayRead, of item: FeedPoll, _ connection: DatabaseConnection) throws {
        let (reader, head) = (item.reader, item.record.watermark)
        try connection.read(with: reader) { database in
            switch read {
            case .page(let after, let through):
                // One that was under way when another history began.
                guard let fits = reader.schema?.order.fits, fits(after), fits(through) else { return }
                _ = try reader.page(
                    after: max(after, reader.floor(head: head)),
                    through: min(through, head),
                    generation: item.record.history.current,
                    foundAt: nil,
                    writer: &writer
                )
            case .position(let count, let through):
                let rows = min(count, reader.watched.pageRows)
                _ = try reader.position(beforeNewest: rows, through: min(through, head))
            case .time(let time, let through):
                _ = try reader.position(before: time, through: min(through, head), database)
            }
        }
    }

    /// The newest pages that fit the tail, oldest first, so that clients that come back are served from memory.
    private func warm(_ item: FeedPoll, _ connection: DatabaseConnection) throws -> [Segment] {
        let reader = item.reader
        let bound = item.feed.options.tailBytes
        var segments: [Segment] = []
        var footprint = 0
        var upper = item.record.watermark
        // A filter that passes most rows over would have the whole table read for a few events.
        var pagesLeft = max(16, 2 * bound / reader.watched.pageBytes)
        let earliest = item.feed.status.earliest
        while upper > earliest, footprint < bound, pagesLeft > 0 {
            var pages: [Segment] = []
            let lower = try connection.read(with: reader) {
                _ in try reader.position(beforeNewest: reader.watched.pageRows, through: upper)
            }
            var after = lower
            while after < upper {
                // Until it was read: no poll would ask for it again.
                item.unreadable = UnreadableRows(.page(after: after, through: upper))
                let page = try connection.read(with: reader) { _ in
                    try reader.page(
                        after: after,
                        through: upper,
                        generation: item.record.history.current,
                        foundAt: nil,
                        writer: &writer
                    )
                }
                item.unreadable = nil
                pages.append(page)
                after = page.through
                pagesLeft -= 1
            }
            footprint += pages.reduce(0) { $0 + $1.footprint }
            segments.insert(contentsOf: pages, at: 0)
            // The log may have been pruned since the last transaction: nothing is before that.
            guard lower < upper else { break }
            upper = lower
        }
        return segments
    }
}
