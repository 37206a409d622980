// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The program: `rowtail serve` and its like.
@main
struct Rowtail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rowtail",
        abstract: "Watches SQLite tables and publishes each new row as a Server-Sent Event.",
        version: "rowtail \(Version.current)",
        subcommands: [ServeCommand.self, CheckCommand.self, CaptureCommand.self, ProbeCommand.self]
    )
}
