// SPDX-License-Identifier: Apache-2.0

import Glibc
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
    /// Where the configuration comes from, and what else than the daemon goes by it.
    struct Configuration: Sendable {
        /// Reads the file anew.
        var load: @Sendable () throws -> RowtailConfig
        /// Takes note of a configuration that is in force, and of what the server makes of it.
        var adopt: @Sendable (RowtailConfig, ServerOptions) -> Void
        /// What the service manager handed over.
        var activation: SocketActivation
        /// What the process was started with.
        var environment: [String: String]
    }

    private let settings: RowtailConfig
    private let options: ServerOptions
    private let configuration: Configuration
    private let logger: Logger

    /// A daemon with the settings that were loaded.
    init(_ settings: RowtailConfig, _ options: ServerOptions, configuration: Configuration, logger: Logger) {
        self.settings = settings
        self.options = options
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until SIGTERM or SIGINT, then ends every stream in order; takes up its configuration again at SIGHUP.
    func run() async throws {
        ProcessLimits.raiseOpenFiles()
        ProcessLimits.ignoreBrokenPipes()
        // From now on, as the signal would end the process otherwise.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let pool = ReplayPool(limit: settings.limits.replays, logger: logger)
        // More threads than processors would only take turns.
        let processors = min(System.coreCount, ProcessLimits.allowedProcessors() ?? .max)
        // Reading one file must not hold up many others, but waking a thread costs more than a poll that finds nothing. A reload
        // may bring more files than there are now.
        let pollGroup = MultiThreadedEventLoopGroup(numberOfThreads: max(4, processors))
        let registry = FeedRegistry(pool: pool, group: pollGroup, logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: processors)
        let server = try await makeServer(registry, pool, group)
        let reporter = StatusReporter(
            environment: configuration.environment,
            registry: registry,
            server: server,
            logger: logger
        )
        let reloader = Reloader(
            configuration,
            registry: registry,
            server: server,
            reporter: reporter,
            logger: logger
        )
        let started = group.next().makePromise(of: Void.self)
        // Services end in the reverse order: streams first, then a reload that is under way, then what feeds them.
        let services: [any Service] = [
            PollingService(registry: registry, patience: max(settings.drainTimeout, .seconds(5)), logger: logger),
            ReloadService(reloader: reloader, hangups: hangups, started: started.futureResult),
            ServerService(server: server, reporter: reporter, started: started),
        ]
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

    /// A server that follows the feeds, which are not polled yet.
    private func makeServer(
        _ registry: FeedRegistry,
        _ pool: ReplayPool,
        _ group: MultiThreadedEventLoopGroup
    ) async throws -> Server {
        // Nothing else keeps the feeds, or what a reload gives up would stay open.
        let feeds = try await registry.begin(settings)
        let server = try await Server(
            options: options,
            feeds: feeds,
            group: group,
            logger: logger,
            replayPages: { pool.pagesRead }
        )
        logger.info("starting", metadata: ["version": "\(Version.current)", "feeds": "\(feeds.count)"])
        return server
    }

    /// The service group says little that the parts don't say better.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}

/// Polls and prunes until everything else has ended.
private struct PollingService: Service {
    let registry: FeedRegistry
    /// How long storing what the next start has to know may take.
    let patience: Duration
    let logger: Logger

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            // A file that hangs holds up neither the server nor the end.
            group.addTask { await registry.start() }
            try? await gracefulShutdown()
            group.addTask {
                guard (try? await Task.sleep(for: patience)) != nil else { return }
                logger.critical("a poller hangs, ending without it")
                // Nothing can be waited for that has to do with it.
                _exit(1)
            }
            await registry.stop()
            group.cancelAll()
        }
    }
}

/// Runs the server.
private struct ServerService: Service {
    let server: Server
    let reporter: StatusReporter
    /// Succeeds when everything serves for the first time, or never will.
    let started: EventLoopPromise<Void>

    func run() async throws {
        defer { started.succeed() }
        try await server.listen()
        StartupMemory.release()
        let lost = await cancelWhenGracefulShutdown { await lostListener() }
        reporter.stopping()
        await server.drain()
        if let lost { throw LostListener(endpoint: lost) }
    }

    /// Waits for a listener that is lost, and reports on everything else meanwhile; `nil` when cancelled.
    private func lostListener() async -> Endpoint? {
        await withTaskGroup(of: Endpoint?.self) { group in
            group.addTask {
                try? await reporter.begin(on: started.futureResult.eventLoop)
                started.succeed()
                try? await reporter.run()
                return nil
            }
            group.addTask {
                for await endpoint in server.lostListeners { return endpoint }
                return nil
            }
            var lost: Endpoint?
            while lost == nil, let result = await group.next() { lost = result }
            group.cancelAll()
            return lost
        }
    }
}

/// Takes up the configuration again when it is told to, one time after the other.
private struct ReloadService: Service {
    let reloader: Reloader
    let hangups: UnixSignalsSequence
    /// What comes before waits: there is nothing to take the place of yet.
    let started: EventLoopFuture<Void>

    func run() async throws {
        try? await started.get()
        for await _ in hangups.cancelOnGracefulShutdown() {
            await reloader.reload()
        }
    }
}

/// Why a daemon ends that could go on, but would not be reached.
private struct LostListener: Error, CustomStringConvertible {
    let endpoint: Endpoint

    var description: String {
        "listen: '\(endpoint)' was closed by the system; start rowtail again"
    }
}
