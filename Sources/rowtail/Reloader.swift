// SPDX-License-Identifier: Apache-2.0

import Logging
import RowtailConfig
import StreamServer

/// Puts a changed configuration in force, all of it or nothing.
struct Reloader {
    private let configuration: Daemon.Configuration
    private let registry: FeedRegistry
    private let server: Server
    private let reporter: StatusReporter
    private let logger: Logger

    /// A reloader of what a daemon runs.
    init(
        _ configuration: Daemon.Configuration,
        registry: FeedRegistry,
        server: Server,
        reporter: StatusReporter,
        logger: Logger
    ) {
        self.configuration = configuration
        self.registry = registry
        self.server = server
        self.reporter = reporter
        self.logger = logger
    }

    /// Reads the configuration and goes by it; one that can't be put in force is refused, and what is wrong with it logged.
    func reload() async {
        // It would only open again what is being closed.
        guard !server.isDraining else { return }
        await reporter.reloading { await takeUp() }
    }

    private func takeUp() async {
        do {
            let settings = try configuration.load()
            let options = try ServerOptions(
                settings,
                activation: configuration.activation,
                version: Version.current
            )
            let plan = try await registry.plan(settings)
            // The last step that may fail, and the first that changes anything: the feeds are followed before they are
            // polled.
            try await server.reload(options: options, feeds: plan.feeds)
            let change = await registry.apply(plan)
            configuration.adopt(settings, options)
            logger.notice(
                "configuration is in force",
                metadata: [
                    "feeds.kept": "\(change.kept)", "feeds.added": "\(change.added)", "feeds.ended": "\(change.ended)",
                ]
            )
        } catch let error as ConfigError {
            for problem in error.problems { refuse("\(problem)") }
        } catch {
            refuse("\(error)")
        }
    }

    private func refuse(_ reason: String) {
        logger.error("configuration is refused, the old one stays in force", metadata: ["reason": "\(reason)"])
    }
}
