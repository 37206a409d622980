// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Dispatch
import Foundation
import Logging
import RowtailConfig
import SQLiteSource
import ServiceManager
import StreamServer

/// `rowtail serve`: reads the configuration and runs the daemon until it is told to end.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the configured feeds until SIGTERM or SIGINT."
    )

    @Option(help: "The configuration file.")
    var config = "/etc/rowtail/rowtail.yaml"

    @Option(help: "Where to listen, HOST:PORT or unix:/PATH; may be repeated. Overrides the file.")
    var listen: [String] = []

    @Option(help: "The database of feeds that name none. Overrides the file.")
    var database: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical. Overrides the file.")
    var logLevel: String?

    private static let checking = DispatchQueue(label: "rowtail.check")

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        // First of all, as it knows descriptors by their numbers.
        let activation = SocketActivation(environment: environment)
        let overrides = ConfigOverrides(listen: listen, database: database, logLevel: logLevel)
        let settings = try ConfigFile.load(config, overrides: overrides)
        let options = try ConfigFile.orExit {
            try ServerOptions(settings, activation: activation, version: Version.current)
        }
        let log = LogSettings(
            format: LogSettings.Format(settings.log.format),
            level: settings.log.level,
            isJournal: JournalStream.takes(environment: environment)
        )
        LoggingSystem.bootstrap { _ in LineLogHandler(log) }
        let logger = Logger(label: "rowtail")
        warn(settings, options, activation, logger)
        let configuration = Daemon.Configuration(
            load: { [config] in try ConfigFile.read(config, overrides: overrides, again: true) },
            adopt: { [self] settings, options in
                log.change(format: LogSettings.Format(settings.log.format), level: settings.log.level)
                warn(settings, options, activation, logger)
            },
            activation: activation,
            environment: environment
        )
        do {
            try await Daemon(settings, options, configuration: configuration, logger: logger).run()
        } catch {
            logger.critical("stopped", metadata: ["reason": "\(error)"])
            throw ExitCode.failure
        }
    }

    /// Logs what `rowtail check` would warn of, once.
    ///
    /// What it would refuse breaks the feed, which says so itself; a database that can't be read yet is not waited for.
    private func warn(
        _ settings: RowtailConfig,
        _ options: ServerOptions,
        _ activation: SocketActivation,
        _ logger: Logger
    ) {
        let sockets = (try? settings.activatedSockets(activation)) ?? []
        let notices = settings.warnings(activated: sockets.map(\.description)) + (options.tls?.warnings ?? [])
        for notice in notices {
            logger.warning("configuration is odd", metadata: ["reason": "\(notice)"])
        }
        // A disk may hang, and nothing here waits for it.
        Self.checking.async {
            let report = CheckReport(config: config, notices: [], checks: settings.checks(patience: .zero))
            for (path, findings, feeds) in report.databases {
                log(findings, "database is not safe", ["database": "\(path)"], logger)
                for feed in feeds {
                    log(feed.tableFindings, "feed is not safe", ["feed": "\(feed.feed)"], logger)
                }
            }
        }
    }

    private func log(_ findings: [Finding], _ message: Logger.Message, _ place: Logger.Metadata, _ logger: Logger) {
        for finding in findings where finding.level == .warning {
            var metadata = place
            metadata["reason"] = "\(finding.sentence)"
            metadata["sql"] = finding.sql.map { "\($0)" }
            logger.warning(message, metadata: metadata)
        }
    }
}
