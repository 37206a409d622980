// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import RowtailConfig
import SQLiteSource
import ServiceManager
import StreamServer

/// `rowtail check`: proves or refutes each feed against its database.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Examine the configuration and each feed's database, as 'serve' would find them.",
        discussion: """
            Says of each feed what was verified, what is unsafe, and the command or SQL that mends it. Nothing is written. \
            Exit code 0: every feed can be served, perhaps with warnings; 69: a feed is refused, or its file or table is not \
            there yet; 78: the configuration is invalid.
            """
    )

    @Option(help: "The configuration file.")
    var config = "/etc/rowtail/rowtail.yaml"

    @Option(help: "The database of feeds that name none. Overrides the file.")
    var database: String?

    @Option(help: "The user that 'rowtail serve' runs as, by name or number; needs root. Default: the current user.")
    var user: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        if let user {
            do {
                try ProcessUser.become(user)
            } catch {
                throw ValidationError("--user: \(error)")
            }
        }
        let settings: RowtailConfig
        let identity: TLSIdentity?
        do {
            settings = try ConfigFile.read(config, overrides: ConfigOverrides(database: database))
            identity = try settings.tlsIdentity()
        } catch let error where error is ConfigError || error is ServerError {
            Output.complain("\(error)")
            if json { try Output.write("\(InvalidConfiguration(config, error).json)\n") }
            throw ExitCode.configuration
        }
        let report = CheckReport(
            config: config,
            notices: settings.warnings + (identity?.warnings ?? []),
            checks: settings.checks(patience: .seconds(1))
        )
        try Output.write(json ? report.json : report.text)
        switch report.verdict {
        case .fine, .warnings: return
        case .waiting, .refused: throw ExitCode.database
        }
    }
}

extension RowtailConfig {
    /// A check of each feed that is served; nobody gets rows of a retired one, and its table may be gone.
    func checks(patience: Duration) -> [FeedCheck] {
        feeds.filter { !$0.retired }.map { feed in
            FeedCheck(WatchedTable(feed, self), path: feed.database, patience: patience)
        }
    }
}

/// What `--json` prints where there is nothing to check.
private struct InvalidConfiguration: Encodable {
    let config: String
    let errors: [String]
    let verdict = "invalid"

    init(_ config: String, _ error: any Error) {
        self.config = config
        errors = (error as? ConfigError)?.problems.map(\.description) ?? ["\(error)"]
    }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
