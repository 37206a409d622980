// SPDX-License-Identifier: Apache-2.0

import EventStream
import Logging
import NIOCore
import NIOPosix
import RowtailConfig
import RowtailCore
import SQLiteSource

/// The feeds that are served and what polls and prunes them, as the configuration in force has it.
///
/// A new configuration becomes a ``Plan`` first, which may fail and changes nothing, and then takes the place of the old
/// one, which can't.
actor FeedRegistry {
    /// A feed, and where its rows come from.
    struct Entry {
        var settings: FeedSettings
        var feed: Feed
        var source: SQLiteFeedSource
        var framing: FrameEncoder
        var poller: DatabasePoller
    }

    /// What is to be served next.
    struct Plan {
        fileprivate var entries: [Entry]
        fileprivate var state: StateDirectory?
        fileprivate var settings: RowtailConfig

        /// The feeds; those that stay the same are the same objects.
        var feeds: [Feed] { entries.map(\.feed) }
    }

    /// How feeds fared at a reload.
    struct Change: Equatable {
        var kept = 0
        var added = 0
        var ended = 0
    }

    private struct Polling {
        var poller: DatabasePoller
        var schedule: PollSchedule
    }

    private let pool: ReplayPool
    private let group: MultiThreadedEventLoopGroup
    private let logger: Logger
    private var entries: [Entry] = []
    /// What ``start()`` is to take up.
    private var first: Plan?
    private var state: StateDirectory?
    private var polling: [FeedSettings.File: Polling] = [:]
    private var pruners: [String: Pruner] = [:]
    private var isStopped = false

    /// A registry without feeds; pollers run on `group`, and `pool` reads behind the tail.
    init(pool: ReplayPool, group: MultiThreadedEventLoopGroup, logger: Logger) {
        self.pool = pool
        self.group = group
        self.logger = logger
    }

    /// Works out what to serve.
    ///
    /// - Throws: `StateDirectory.Failure`.
    func plan(_ settings: RowtailConfig) throws -> Plan {
        var state = state
        if state?.path != settings.stateDirectory {
            state = try settings.stateDirectory.map { try StateDirectory(path: $0) }
        }
        var pollers = polling.mapValues(\.poller)
        let entries = settings.feeds.map { item in
            let wanted = FeedSettings(item, settings)
            if let entry = self.entries.first(where: { $0.settings == wanted }) { return entry }
            let poller =
                pollers[wanted.file]
                ?? DatabasePoller(path: item.database, state: state, logger: logger, on: group.next())
            pollers[wanted.file] = poller
            let framing = FrameEncoder(feed: item.name, event: wanted.options.event)
            let source = SQLiteFeedSource(wanted.watched, framing: framing, poller: poller, pool: pool)
            let feed = Feed(options: wanted.options, source: source)
            return Entry(settings: wanted, feed: feed, source: source, framing: framing, poller: poller)
        }
        return Plan(entries: entries, state: state, settings: settings)
    }

    /// Works out what to serve at the start.
    ///
    /// - Returns: The feeds, which are polled from ``start()`` on.
    /// - Throws: `StateDirectory.Failure`.
    func begin(_ settings: RowtailConfig) throws -> [Feed] {
        let plan = try plan(settings)
        first = plan
        return plan.feeds
    }

    /// Begins to poll; returns when every file was polled once.
    func start() async {
        guard let plan = first else { return }
        entries = plan.entries
        first = nil
        await poll(plan, new: plan.entries, gone: [])
    }

    /// Takes a plan for what is polled from now on; who serves the feeds follows them already.
    @discardableResult
    func apply(_ plan: Plan) async -> Change {
        let new = plan.entries.filter { entry in !entries.contains { $0.feed === entry.feed } }
        let gone = entries.filter { entry in !plan.entries.contains { $0.feed === entry.feed } }
        entries = plan.entries
        await poll(plan, new: new, gone: gone)
        return Change(kept: plan.entries.count - new.count, added: new.count, ended: gone.count)
    }

    private func poll(_ plan: Plan, new: [Entry], gone: [Entry]) async {
        // The next feed of a name takes up what is left of the last.
        let heritage = Dictionary(
            gone.map { ($0.settings.watched.feed, group.any().makePromise(of: FeedHeritage?.self)) }
        ) { $1 }
        let files = Set(gone.map(\.settings.file) + plan.entries.map(\.settings.file) + polling.keys)
        // Each file for itself: one whose disk hangs holds up no other.
        await withTaskGroup(of: Void.self) { group in
            for file in files {
                group.addTask {
                    for entry in gone where entry.settings.file == file {
                        entry.feed.close()
                        let left = await entry.poller.remove(entry.feed)
                        heritage[entry.settings.watched.feed]?.succeed(left)
                    }
                    // Nobody gets rows of a retired feed, and its table may be gone.
                    let polled = plan.entries.filter { $0.settings.file == file && !$0.settings.options.isRetired }
                    await self.poll(file, polled, new: new, heritage.mapValues(\.futureResult), plan.settings)
                }
            }
        }
        // What is left of the old feeds may hold it for a while, such as a client that takes no bytes.
        if let old = state, old !== plan.state { old.release() }
        state = plan.state
        pool.keep(only: plan.entries.map(\.source))
        pool.setLimit(plan.settings.limits.replays)
        await prune(plan.settings)
    }

    /// Has just these feeds of a file polled.
    private func poll(
        _ file: FeedSettings.File,
        _ polled: [Entry],
        new: [Entry],
        _ heritage: [String: EventLoopFuture<FeedHeritage?>],
        _ settings: RowtailConfig
    ) async {
        guard let poller = polled.first?.poller else {
            await polling.removeValue(forKey: file)?.schedule.stop()
            return
        }
        let added = polled.filter { entry in new.contains { $0.feed === entry.feed } }
        for entry in added {
            let left = try? await heritage[entry.settings.watched.feed]?.get()
            await poller.add(
                entry.feed,
                watched: entry.settings.watched,
                framing: entry.framing,
                heritage: left ?? nil
            )
        }
        guard !isStopped else { return }
        let (interval, wakesOnWrite) = (settings.pollInterval, settings.wakeOnWrite)
        if let schedule = polling[file]?.schedule {
            await schedule.change(interval: interval, wakesOnWrite: wakesOnWrite)
            // Feeds that joined others don't wait for the next tick.
            if !added.isEmpty { await poller.poll() }
            return
        }
        let schedule = PollSchedule(poller, interval: interval, wakesOnWrite: wakesOnWrite, logger: logger)
        polling[file] = Polling(poller: poller, schedule: schedule)
        await schedule.start()
    }

    private func prune(_ settings: RowtailConfig) async {
        var wanted: [String: Pruner] = [:]
        for feed in settings.feeds {
            guard let pruner = Pruner(feed, WatchedTable(feed, settings), logger: logger) else { continue }
            wanted[feed.name] = pruners[feed.name].flatMap { $0.does(what: pruner) ? $0 : nil } ?? pruner
        }
        let old = pruners
        pruners = wanted
        guard !isStopped else { return }
        for (name, pruner) in old where wanted[name] !== pruner { await pruner.stop() }
        for (name, pruner) in wanted where old[name] !== pruner { pruner.start() }
    }

    // MARK: - While it runs

    /// The feeds that are served.
    var feeds: [Feed] { (first?.entries ?? entries).map(\.feed) }

    /// The file of a poller that hangs, or has not polled for longer than its interval and `patience`; `nil` where there is
    /// none.
    ///
    /// It doesn't return while a poller hangs.
    func stuckFile(patience: Duration) async -> String? {
        for (file, item) in polling where await !item.schedule.makesProgress(within: patience) {
            return file.database
        }
        return nil
    }

    /// Stops polling and pruning, and stores what the next start has to know.
    func stop() async {
        isStopped = true
        for pruner in pruners.values { await pruner.stop() }
        for item in polling.values { await item.schedule.stop() }
        polling = [:]
        for entry in entries { entry.feed.close() }
    }
}
