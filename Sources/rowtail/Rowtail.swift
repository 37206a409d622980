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

    /// Runs the command that the arguments name.
    ///
    /// What ArgumentParser prints by itself, help and the version, goes the way of everything else.
    static func main() async {
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            let message = fullMessage(for: error)
            guard exitCode(for: error).isSuccess, !message.isEmpty else { exit(withError: error) }
            do {
                try Output.write(lines: [message])
            } catch {
                exit(withError: error)
            }
        }
    }
}
