// SPDX-License-Identifier: Apache-2.0

import EventStream
import Logging
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
            let framing = FrameEncoder(feed: item.name, event: item.event)
            let source = SQLiteFeedSource(wanted.watched, framing: framing, poller: poller, pool: pool)
            let feed = Feed(options: wanted.options, source: source)
            return Entry(settings: wanted, feed: feed, source: source, framing: framing, poller: poller)
        }
        return Plan(entries: entries, state: state, settings: settings)
    }

    /// Takes a plan for what is polled from now on; who serves the feeds follows them already.
    @discardableResult
    func apply(_ plan: Plan) async -> Change {
        guard !isStopped else { return Change() }
        let new = plan.entries.filter { entry in !entries.contains { $0.feed === entry.feed } }
        let gone = entries.filter { entry in !plan.entries.contains { $0.feed === entry.feed } }
        entries = plan.entries
        for entry in gone {
            // First what is stored of it: the next feed of this name takes it up.
            await entry.poller.remove(entry.feed)
            entry.feed.close()
        }
        // Nobody gets rows of a retired feed, and its table may be gone.
        let polled = plan.entries.filter { !$0.settings.options.isRetired }
        let files = Set(polled.map(\.settings.file))
        for (file, old) in polling where !files.contains(file) {
            await old.schedule.stop()
            polling[file] = nil
        }
        // What is left of the old feeds may hold it for a while, such as a client that takes no bytes.
        if let old = state, old !== plan.state { old.release() }
        state = plan.state
        pool.keep(only: plan.entries.map(\.source))
        pool.setLimit(plan.settings.limits.replays)
        await poll(polled, new: new, plan.settings)
        await prune(plan.settings)
        return Change(kept: plan.entries.count - new.count, added: new.count, ended: gone.count)
    }

    private func poll(_ polled: [Entry], new: [Entry], _ settings: RowtailConfig) async {
        let (interval, wakesOnWrite) = (settings.pollInterval, settings.wakeOnWrite)
        var stale: [DatabasePoller] = []
        for old in polling.values {
            await old.schedule.change(interval: interval, wakesOnWrite: wakesOnWrite)
        }
        for entry in polled where new.contains(where: { $0.feed === entry.feed }) {
            await entry.poller.add(entry.feed, watched: entry.settings.watched, framing: entry.framing)
            if polling[entry.settings.file] != nil, !stale.contains(where: { $0 === entry.poller }) {
                stale.append(entry.poller)
            }
        }
        for entry in polled where polling[entry.settings.file] == nil {
            let schedule = PollSchedule(entry.poller, interval: interval, wakesOnWrite: wakesOnWrite, logger: logger)
            polling[entry.settings.file] = Polling(poller: entry.poller, schedule: schedule)
            await schedule.start()
        }
        // Feeds that joined others on a file don't wait for the next tick.
        for poller in stale { await poller.poll() }
    }

    private func prune(_ settings: RowtailConfig) async {
        var wanted: [String: Pruner] = [:]
        for feed in settings.feeds {
            guard let pruner = Pruner(feed, WatchedTable(feed, settings), logger: logger) else { continue }
            wanted[feed.name] = pruners[feed.name].flatMap { $0.does(what: pruner) ? $0 : nil } ?? pruner
        }
        let old = pruners
        pruners = wanted
        for (name, pruner) in old where wanted[name] !== pruner { await pruner.stop() }
        for (name, pruner) in wanted where old[name] !== pruner { pruner.start() }
    }

    // MARK: - While it runs

    /// The feeds that are served.
    var feeds: [Feed] { entries.map(\.feed) }

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
