// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Logging
import RowtailConfig
import ServiceManager

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

    func run() async throws {
        let settings = try ConfigFile.load(
            config,
            overrides: ConfigOverrides(listen: listen, database: database, logLevel: logLevel)
        )
        let format: LineLogHandler.Format = settings.log.format == .json ? .json : .text
        let level = settings.log.level
        LoggingSystem.bootstrap { _ in LineLogHandler(format: format, level: level) }
        let logger = Logger(label: "rowtail")
        do {
            try await Daemon(settings, logger: logger).run()
        } catch {
            logger.critical("stopped", metadata: ["reason": "\(error)"])
            throw ExitCode(1)
        }
    }
}
