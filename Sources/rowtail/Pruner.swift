// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Logging
import RowtailConfig
import RowtailCore
import SQLiteSource
import ServiceLifecycle
import Synchronization

/// Prunes the log of one feed, at the start and then as often as the configuration says.
final class PrunerService: Service {
    private let feed: String
    private let pruner: CapturePruner
    private let interval: Duration
    private let logger: Logger
    // Deleting blocks on the disk and on locks, for which tasks have no threads.
    private let queue = DispatchQueue(label: "rowtail.prune")
    private let isStopped = Atomic(false)
    private let lastFailure = Mutex<String?>(nil)

    /// A service for a feed; `nil` where the configuration has nothing pruned.
    init?(_ feed: RowtailConfig.Feed, _ watched: WatchedTable, logger: Logger) {
        guard feed.mode == .log, !feed.retired, feed.capture.hasBound, let interval = feed.capture.pruneInterval else {
            return nil
        }
        self.feed = feed.name
        self.interval = interval
        self.logger = logger
        pruner = CapturePruner(
            watched,
            path: feed.database,
            retentionAge: feed.capture.retentionAge,
            retentionRows: feed.capture.retentionRows
        )
    }

    /// Prunes until the daemon shuts down.
    func run() async throws {
        await withGracefulShutdownHandler {
            while !isStopped.load(ordering: .relaxed) {
                await withCheckedContinuation { continuation in
                    queue.async {
                        self.prune()
                        continuation.resume()
                    }
                }
                try? await cancelWhenGracefulShutdown { [interval] in try await Task.sleep(for: interval) }
            }
        } onGracefulShutdown: {
            self.isStopped.store(true, ordering: .relaxed)
        }
    }

    private func prune() {
        do {
            let pruned = try pruner.pruneOnce(
                now: Date().timeIntervalSince1970,
                unless: { isStopped.load(ordering: .relaxed) }
            )
            lastFailure.withLock { $0 = nil }
            guard pruned > 0 else { return }
            logger.info("log was pruned", metadata: ["feed": "\(feed)", "entries": "\(pruned)"])
        } catch {
            // The next round tries again; what it can't do is said once.
            let isNews = lastFailure.withLock { last in
                defer { last = "\(error)" }
                return last != "\(error)"
            }
            guard isNews else { return }
            logger.warning("log can't be pruned", metadata: ["feed": "\(feed)", "reason": "\(error)"])
        }
    }
}
