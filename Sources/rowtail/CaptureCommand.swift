// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import RowtailConfig
import RowtailCore
import SQLiteSource

/// `rowtail capture`: puts the triggers of `log` mode on a feed's table, looks after them, and takes them off.
struct CaptureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Have a table's writes logged in its database, for feeds in mode log.",
        subcommands: [Install.self, Status.self, Prune.self, Remove.self]
    )

    /// What all of them are told.
    struct Target: ParsableArguments {
        @Argument(help: "The feed, which has to be in mode log.")
        var feed: String

        @Option(help: "The configuration file.")
        var config = "/etc/rowtail/rowtail.yaml"

        /// Does something with the feed's table, and ends the program with what its failure means: 78 for the configuration,
        /// 69 for a database that can't be used.
        func run(_ body: (RowtailConfig.Feed, WatchedTable) throws -> Void) throws {
            let settings = try ConfigFile.load(config)
            guard let item = settings.feeds.first(where: { $0.name == feed }) else {
                let names = settings.feeds.map(\.name).joined(separator: ", ")
                throw failure("\(config): there is no feed '\(feed)'; name one of: \(names)", .configuration)
            }
            guard item.mode == .log else {
                throw failure(
                    "\(config): feeds.\(feed).mode is '\(item.mode.rawValue)', which needs no capture; set it to 'log'",
                    .configuration
                )
            }
            do {
                try body(item, WatchedTable(item, settings))
            } catch let error as SourceError {
                throw failure(error.message, .database)
            }
        }

        private func failure(_ message: String, _ code: ExitCode) -> ExitCode {
            Output.complain(message)
            return code
        }
    }

    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put the triggers on the table, or mend them.")

        @OptionGroup var target: Target

        @Flag(help: "Print the SQL and write nothing.")
        var dryRun = false

        @Flag(help: "Measure what the triggers cost, and write nothing.")
        var measure = false

        func validate() throws {
            guard !(dryRun && measure) else { throw ValidationError("--dry-run and --measure exclude each other") }
        }

        func run() throws {
            try target.run { feed, watched in
                let installer = CaptureInstaller(watched, path: feed.database)
                if measure {
                    return try Output.write(lines: cost(CaptureCost(watched, path: feed.database), feed.table))
                }
                if dryRun {
                    let script = try installer.installScript()
                    let sql = script.statements.isEmpty ? "-- installed already, nothing to do" : script.sql
                    return try Output.write(lines: [sql] + script.warnings.map { "-- warning: \($0)" })
                }
                let done = try installer.install()
                var lines = ["capture is installed on table '\(feed.table)' already, and matches"]
                if !done.wasInstalled {
                    lines = ["capture is installed on table '\(feed.table)' (number \(done.script.installation))"]
                    if let reason = done.untried {
                        lines.append("warning: the triggers were not tried on the table: \(reason)")
                    }
                }
                try Output.write(lines: lines + done.script.warnings.map { "warning: \($0)" })
            }
        }

        private func cost(_ cost: CaptureCost, _ table: String) -> [String] {
            func microseconds(_ duration: Duration) -> String { String(format: "%.2f µs", duration / .microseconds(1)) }
            let title =
                "one write of table '\(table)', commits aside: median of \(CaptureCost.rounds) rounds of \(CaptureCost.writes)"
            return [title]
                + cost.pairs.map { pair in
                    let ratio = String(format: "%.1f", pair.ratio)
                    let (without, with) = (microseconds(pair.without), microseconds(pair.with))
                    return "\(pair.name): \(without) without, \(with) with triggers: x \(ratio)"
                }
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell whether the triggers are there and fit the table; exits with 1 when not."
        )

        @OptionGroup var target: Target

        func run() throws {
            try target.run { feed, watched in
                let status = try CaptureInstaller(watched, path: feed.database).status()
                var lines = [status.state.problem ?? "capture is installed on table '\(feed.table)' and matches"]
                lines.append("entries: \(status.entries)")
                if let oldest = status.oldest, let newest = status.newest {
                    lines.append("written: \(oldest) to \(newest)")
                }
                if status.state.pruned > 0 { lines.append("pruned through: \(status.state.pruned)") }
                try Output.write(lines: lines + status.warnings.map { "warning: \($0)" })
                if status.state.problem != nil { throw ExitCode.failure }
            }
        }
    }

    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete the entries that capture.retention_age or .retention_rows no longer keep."
        )

        @OptionGroup var target: Target

        @Flag(help: "Print how many entries would go.")
        var dryRun = false

        func run() throws {
            try target.run { feed, watched in
                let (age, rows) = (feed.capture.retentionAge, feed.capture.retentionRows)
                guard age != nil || rows != nil else {
                    let key = "feeds.\(feed.name).capture"
                    Output.complain(
                        "\(target.config): nothing says which entries may go; set \(key).retention_age or \(key).retention_rows"
                    )
                    throw ExitCode.configuration
                }
                let pruner = CapturePruner(watched, path: feed.database, retentionAge: age, retentionRows: rows)
                let count = try pruner.pruneOnce(now: Date().timeIntervalSince1970, dryRun: dryRun)
                try Output.write(lines: [dryRun ? "would prune \(count) entries" : "pruned \(count) entries"])
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the triggers off the table, and its entries out of the log."
        )

        @OptionGroup var target: Target

        @Flag(help: "Print the SQL and write nothing.")
        var dryRun = false

        func run() throws {
            try target.run { feed, watched in
                let installer = CaptureInstaller(watched, path: feed.database)
                if dryRun { return try Output.write(lines: [installer.removeScript().sql]) }
                _ = try installer.remove()
                try Output.write(lines: ["capture is removed from table '\(feed.table)'"])
            }
        }
    }
}
