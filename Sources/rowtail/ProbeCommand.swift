// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import StreamProbe
import UnixSignals

/// `rowtail probe`: tells what a client sees of a feed, through whatever stands between.
struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Connect to a feed as a client does and tell what it sees, through proxies and all.",
        discussion: """
            Watches the stream until a heartbeat or enough live events came, or Ctrl-C, then comes back with the id of an event \
            and sees whether the next one follows. Says of each thing whether it is as it should be, and names the setting of nginx, \
            Caddy or HAProxy that mends it. Nothing is changed anywhere; it takes one stream at a time.

            Exit code 0: clients get what they should, perhaps with warnings; 1: they don't, or there is no connection; 64: \
            usage.
            """
    )

    @Argument(help: "The feed as clients ask for it: https://example.org/feeds/orders")
    var url: String

    @Option(help: "A token, sent as 'Authorization: Bearer'. Better in the environment as ROWTAIL_TOKEN.")
    var token: String?

    @Option(help: "How long to watch the stream at most, as 500ms, 20s or 2m; heartbeats come after 15 s of silence.")
    var duration = "20s"

    @Option(help: "The unix socket to connect to, in place of the URL's host and port.")
    var unixSocket: String?

    @Flag(help: "Take any certificate.")
    var insecure = false

    @Flag(help: "Don't offer HTTP/2.")
    var http1 = false

    @Flag(help: "Print one JSON object.")
    var json = false

    // Here and not when it runs, so that a mistake comes with this command's usage.
    func validate() throws {
        _ = try options()
    }

    func run() async throws {
        let interruption = Interruption()
        let interrupts = await UnixSignalsSequence(trapping: .sigint)
        let waiting = Task {
            for await _ in interrupts where !interruption.request() {
                // Asked for twice: at once.
                signal(SIGINT, SIG_DFL)
                raise(SIGINT)
            }
        }
        defer { waiting.cancel() }
        if isatty(STDERR_FILENO) == 1, !json {
            Output.complain("Watching for \(duration) at most; Ctrl-C ends that and tells what was seen.")
        }
        let report = ProbeReport(await Probe(try options(), interruption: interruption).run())
        try Output.write(json ? report.json : report.text)
        if report.verdict == .fail { throw ExitCode(1) }
    }

    private func options() throws -> ProbeOptions {
        do {
            var options = ProbeOptions(try ProbeTarget(url))
            options.token = try secret()
            options.duration = try watchedFor()
            options.unixSocket = unixSocket
            options.verifiesCertificate = !insecure
            options.isHTTP1Only = http1
            options.agent = "rowtail/\(Version.current) (probe)"
            return options
        } catch let error as ProbeError {
            throw ValidationError("\(error)")
        }
    }

    private func secret() throws -> String? {
        let text = token ?? ProcessInfo.processInfo.environment["ROWTAIL_TOKEN"]
        guard let text, !text.isEmpty else { return nil }
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw ValidationError("the token has characters that no token has; use printable ASCII without spaces")
        }
        return text
    }

    private func watchedFor() throws -> Duration {
        let units: [(String, Duration)] = [("ms", .milliseconds(1)), ("s", .seconds(1)), ("m", .seconds(60))]
        for (unit, length) in units where duration.hasSuffix(unit) {
            guard let number = Int(duration.dropLast(unit.count)), (1...3_600_000).contains(number) else { continue }
            let time = length * number
            if time >= .milliseconds(100), time <= .seconds(3600) { return time }
        }
        throw ValidationError("--duration: '\(duration)' is no time from 100ms to 60m; write it as 500ms, 20s or 2m")
    }
}
