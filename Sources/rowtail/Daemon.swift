// SPDX-License-Identifier: Apache-2.0

import EventStream
import Logging
import NIOCore
import NIOPosix
import RowtailConfig
import RowtailCore
import SQLiteSource
import ServiceLifecycle
import ServiceManager
import StreamServer
import UnixSignals

/// Puts the parts together: one poller a database file, one feed a table, one server.
struct Daemon {
    private let settings: RowtailConfig
    private let logger: Logger

    init(_ settings: RowtailConfig, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Runs until SIGTERM or SIGINT, then ends every stream in order.
    func run() async throws {
        ProcessLimits.raiseOpenFiles()
        ProcessLimits.ignoreBrokenPipes()
        let state = try settings.stateDirectory.map { try StateDirectory(path: $0) }
        let pool = ReplayPool(limit: settings.limits.replays, logger: logger)
        // More threads than processors would only take turns.
        let processors = min(System.coreCount, ProcessLimits.allowedProcessors() ?? .max)
        // Reading one file must not hold up many others, but waking a thread costs more than a poll that finds nothing.
        let pollGroup = MultiThreadedEventLoopGroup(
            numberOfThreads: min(Set(settings.feeds.map(\.database)).count, max(4, processors))
        )
        let (feeds, pollers) = await makeFeeds(state, pool, pollGroup)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: processors)
        let server = try await Server(
            options: ServerOptions(settings, version: Version.current),
            feeds: feeds,
            group: group,
            logger: logger,
            replayPages: { pool.pagesRead }
        )
        let schedules = pollers.map { poller in
            PollSchedule(poller, interval: settings.pollInterval, wakesOnWrite: settings.wakeOnWrite, logger: logger)
        }
        logger.info("starting", metadata: ["version": "\(Version.current)", "feeds": "\(feeds.count)"])
        // Services end in the reverse order: streams first, then what feeds them.
        let pruners = settings.feeds.compactMap { feed in
            PrunerService(feed, WatchedTable(feed, settings), logger: logger)
        }
        let services: [any Service] = pruners + schedules.map(PollerService.init) + [ServerService(server: server)]
        try await ServiceGroup(
            services: services,
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Self.quiet(logger)
        ).run()
        logger.info("ended")
        // Reads under way answer on the event loops.
        await pool.stop()
        try await group.shutdownGracefully()
        try await pollGroup.shutdownGracefully()
    }

    private func makeFeeds(
        _ state: StateDirectory?,
        _ pool: ReplayPool,
        _ group: MultiThreadedEventLoopGroup
    ) async -> ([Feed], [DatabasePoller]) {
        var pollers: [String: DatabasePoller] = [:]
        var feeds: [Feed] = []
        for item in settings.feeds {
            let poller =
                pollers[item.database]
                ?? DatabasePoller(path: item.database, state: state, logger: logger, on: group.next())
            let framing = FrameEncoder(feed: item.name, event: item.event)
            let watched = WatchedTable(item, settings)
            let source = SQLiteFeedSource(watched, framing: framing, poller: poller, pool: pool)
            let feed = Feed(options: Feed.Options(item, settings), source: source)
            feeds.append(feed)
            // Nobody gets rows of a retired feed, and its table may be gone.
            guard !item.retired else { continue }
            await poller.add(feed, watched: watched, framing: framing)
            pollers[item.database] = poller
        }
        return (feeds, pollers.sorted { $0.key < $1.key }.map(\.value))
    }

    /// The service group says little that the parts don't say better.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}

/// Runs the poller of one database file.
private struct PollerService: Service {
    let schedule: PollSchedule

    func run() async throws {
        await schedule.start()
        try? await gracefulShutdown()
        await schedule.stop()
    }
}

/// Runs the server.
private struct ServerService: Service {
    let server: Server

    func run() async throws {
        try await server.listen()
        StartupMemory.release()
        let lost = await cancelWhenGracefulShutdown {
            for await endpoint in server.lostListeners { return Optional(endpoint) }
            return nil
        }
        await server.drain()
        if let lost { throw LostListener(endpoint: lost) }
    }
}

/// Why a daemon ends that could go on, but would not be reached.
private struct LostListener: Error, CustomStringConvertible {
    let endpoint: Endpoint

    var description: String {
        "listen: '\(endpoint)' was closed by the system; start rowtail again"
    }
}
