// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import Logging
import RowtailConfig
import RowtailCore
import SQLiteSource
import Synchronization

/// Prunes the log of one feed, at the start and then as often as the configuration says.
final class Pruner: Sendable {
    /// What of the configuration it goes by.
    private struct Settings: Equatable {
        var watched: WatchedTable
        var database: String
        var capture: RowtailConfig.Capture
    }

    private let settings: Settings
    private let pruner: CapturePruner
    private let logger: Logger
    // Deleting blocks on the disk and on locks, for which tasks have no threads.
    private let queue = DispatchQueue(label: "rowtail.prune")
    // Made when it starts: a source that was never activated must not be released.
    private let timer = Mutex<(any DispatchSourceTimer)?>(nil)
    private let interval: Duration
    private let isStopped = Atomic(false)
    private let lastFailure = Mutex<String?>(nil)

    /// A pruner for a feed; `nil` where the configuration has nothing pruned.
    init?(_ feed: RowtailConfig.Feed, _ watched: WatchedTable, logger: Logger) {
        guard feed.mode == .log, !feed.retired, feed.capture.hasBound, let interval = feed.capture.pruneInterval else {
            return nil
        }
        self.interval = interval
        self.logger = logger
        settings = Settings(watched: watched, database: feed.database, capture: feed.capture)
        pruner = CapturePruner(
            watched,
            path: feed.database,
            retentionAge: feed.capture.retentionAge,
            retentionRows: feed.capture.retentionRows
        )
    }

    /// Whether another would do just the same.
    func does(what other: Pruner) -> Bool {
        settings == other.settings
    }

    /// Prunes now and then at every interval.
    func start() {
        timer.withLock { timer in
            let source = DispatchSource.makeTimerSource(queue: queue)
            source.setEventHandler { [weak self] in self?.prune() }
            source.schedule(deadline: .now(), repeating: interval / .seconds(1))
            source.activate()
            timer = source
        }
    }

    /// Prunes no more; returns when what is under way has come to a stop.
    func stop() async {
        isStopped.store(true, ordering: .relaxed)
        timer.withLock { $0?.cancel() }
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume() }
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
            logger.info("log was pruned", metadata: ["feed": "\(settings.watched.feed)", "entries": "\(pruned)"])
        } catch {
            // The next round tries again; what it can't do is said once.
            let isNews = lastFailure.withLock { last in
                defer { last = "\(error)" }
                return last != "\(error)"
            }
            guard isNews else { return }
            let metadata: Logger.Metadata = ["feed": "\(settings.watched.feed)", "reason": "\(error)"]
            logger.warning("log can't be pruned", metadata: metadata)
        }
    }
}
