// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import RowtailCore
import ServiceManager
import StreamServer

/// Tells the service manager when the daemon serves, how it fares, and that it makes progress.
struct StatusReporter {
    /// How often the status is told anew, at most.
    private static let interval: Duration = .seconds(5)

    private let notifier: Notifier
    private let watchdog: Watchdog
    private let registry: FeedRegistry
    private let server: Server
    private let logger: Logger

    /// A reporter to the manager that the environment names, if there is one.
    init(environment: [String: String], registry: FeedRegistry, server: Server, logger: Logger) {
        notifier = Notifier(environment: environment)
        watchdog = Watchdog(environment: environment)
        self.registry = registry
        self.server = server
        self.logger = logger
    }

    /// Says that everything serves, once the feeds were polled or are being waited for.
    func begin(on eventLoop: any EventLoop) async throws {
        guard notifier.isOn else { return }
        for feed in await registry.feeds where !feed.options.isRetired {
            let polled = eventLoop.makePromise(of: Void.self)
            feed.firstPoll(on: eventLoop).cascade(to: polled)
            try await withTaskCancellationHandler {
                try await polled.futureResult.get()
            } onCancel: {
                polled.fail(CancellationError())
            }
        }
        notifier.ready(status: try await status())
    }

    /// Says how the daemon fares, until cancelled.
    ///
    /// The watchdog is fed when every event loop and every poller has answered, so that one that hangs gets the daemon
    /// started anew.
    func run() async throws {
        guard notifier.isOn else { return }
        var last: String?
        while !Task.isCancelled {
            // Every event loop has to answer for it.
            let status = try await status()
            if status != last { notifier.status(status) }
            last = status
            if let timeout = watchdog.timeout {
                let stuck = await registry.stuckFile(patience: timeout)
                if let stuck {
                    logger.error("poller makes no progress", metadata: ["database": "\(stuck)"])
                } else {
                    notifier.watchdog()
                }
            }
            try await Task.sleep(for: min(watchdog.interval ?? Self.interval, Self.interval))
        }
    }

    /// Says that the configuration is being taken up again, and afterwards that the daemon serves.
    func reloading(_ body: () async -> Void) async {
        notifier.reloading()
        await body()
        notifier.ready(status: (try? await status()) ?? "")
    }

    /// Says that the daemon is about to end.
    func stopping() {
        notifier.stopping()
    }

    /// A line such as `2 of 3 feeds live, 120 streams, 7 rows behind; users waiting`.
    private func status() async throws -> String {
        let feeds = await registry.feeds.filter { !$0.options.isRetired }
        let troubled = feeds.filter { $0.status.state != .live }
        let streams = feeds.reduce(0) { $0 + $1.subscriberCount }
        let behind = try await server.furthestBehind(of: feeds)
        func count(_ number: Int, _ thing: String) -> String { "\(number) \(thing)\(number == 1 ? "" : "s")" }
        let live = (troubled.isEmpty ? "" : "\(feeds.count - troubled.count) of ") + count(feeds.count, "feed")
        let names = troubled.prefix(3).map { "\($0.name) \($0.status.state.name)" }.joined(separator: ", ")
        let more = troubled.count > 3 ? ", \(troubled.count - 3) more not live" : ""
        return """
            \(live) live, \(count(streams, "stream")), \(count(behind, "row")) behind\
            \(troubled.isEmpty ? "" : "; ")\(names)\(more)
            """
    }
}
