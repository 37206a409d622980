// SPDX-License-Identifier: Apache-2.0

import Dispatch
package import Logging
import RowtailCore

/// When a file is polled: at every interval, when it is written, and again after a lock.
///
/// The timer is monotonic and the guarantee; ticks that come while a poll runs are skipped. Events of the file system are
/// a hint: the `-wal` file is written before the index that readers look at, so a wake-up is followed by polls 1, 4 and
/// 16 ms later, which also bounds how often a busy file is polled.
package actor PollSchedule {
    /// What a poll wishes for.
    enum Request {
        /// The file was opened: watch its directory.
        case watch
        /// It was locked: poll again soon.
        case retry
        /// It was read.
        case succeeded
        /// The anchors or the stored state are behind: see to them within a second.
        case upkeep
    }

    private static let followUps: [DispatchTimeInterval] = [.milliseconds(1), .milliseconds(4), .milliseconds(16)]

    /// The poller's queue, which this runs on as well.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        poller.executor.asUnownedSerialExecutor()
    }

    private nonisolated let poller: DatabasePoller
    private let interval: Duration
    private let wakesOnWrite: Bool
    private let logger: Logger
    private var timer: (any DispatchSourceTimer)?
    private var watcher: FileWatcher?
    private var isWatchFailureLogged = false
    private var burst: Int?
    private var wasWokenAgain = false
    private var retryDelay: Int?
    private var isRetryDue = false
    private var isUpkeepDue = false
    private var isStopped = false

    /// A schedule for a poller, with an interval of 10 ms to 1 h.
    package init(_ poller: DatabasePoller, interval: Duration, wakesOnWrite: Bool, logger: Logger) {
        self.poller = poller
        self.interval = interval
        self.wakesOnWrite = wakesOnWrite
        self.logger = logger
    }

    private nonisolated func enter(_ body: @escaping @Sendable (isolated PollSchedule) -> Void) -> @Sendable () -> Void
    {
        { [weak self] in self?.assumeIsolated { body($0) } }
    }

    private func after(_ delay: DispatchTimeInterval, _ body: @escaping @Sendable (isolated PollSchedule) -> Void) {
        poller.executor.queue.asyncAfter(deadline: .now() + delay, execute: enter(body))
    }

    /// Polls once and goes on until ``stop()``.
    package func start() {
        if wakesOnWrite {
            watcher = FileWatcher(queue: poller.executor.queue, onChange: enter { $0.wake() })
        }
        poller.assumeIsolated { poller in
            poller.report { [weak self] request in
                self?.assumeIsolated { $0.take(request) }
            }
        }
        let timer = DispatchSource.makeTimerSource(queue: poller.executor.queue)
        let (seconds, attoseconds) = interval.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        timer.schedule(
            deadline: .now() + .nanoseconds(nanoseconds),
            repeating: .nanoseconds(nanoseconds),
            leeway: .nanoseconds(min(nanoseconds / 20, 1_000_000))
        )
        timer.setEventHandler(handler: enter { $0.tick() })
        timer.resume()
        self.timer = timer
        poll()
    }

    /// Stops polling, stores what changed and closes the database.
    package func stop() {
        isStopped = true
        timer?.cancel()
        timer = nil
        watcher?.stop()
        watcher = nil
        poller.assumeIsolated { $0.close() }
    }

    private func poll() {
        guard !isStopped else { return }
        poller.assumeIsolated { $0.poll() }
    }

    private func tick() {
        if let watcher, !watcher.isWatching { watch() }
        poll()
    }

    private func watch() {
        guard let watcher, !watcher.watch(path: poller.path), !isWatchFailureLogged else { return }
        isWatchFailureLogged = true
        logger.warning(
            "can't watch the database's directory, rows wait for the poll interval",
            metadata: ["database": "\(poller.path)", "remedy": "raise fs.inotify.max_user_instances"]
        )
    }

    private func wake() {
        guard burst == nil else {
            wasWokenAgain = true
            return
        }
        poll()
        follow(up: 0)
    }

    private func follow(up step: Int) {
        burst = step
        after(Self.followUps[step]) { schedule in
            schedule.burst = nil
            let again = schedule.wasWokenAgain
            schedule.wasWokenAgain = false
            schedule.poll()
            if again {
                schedule.follow(up: 0)
            } else if step + 1 < Self.followUps.count {
                schedule.follow(up: step + 1)
            }
        }
    }

    private func take(_ request: Request) {
        switch request {
        case .watch:
            watch()
        case .succeeded:
            retryDelay = nil
        case .retry:
            guard !isRetryDue else { return }
            isRetryDue = true
            let delay = min((retryDelay ?? 2) * 2, 1000)
            retryDelay = delay
            // At random, so that two readers don't meet the same writer again and again.
            after(.milliseconds(Int.random(in: delay / 2...delay))) { schedule in
                schedule.isRetryDue = false
                schedule.poll()
            }
        case .upkeep:
            guard !isUpkeepDue else { return }
            isUpkeepDue = true
            after(.seconds(1)) { schedule in
                schedule.isUpkeepDue = false
                guard !schedule.isStopped else { return }
                schedule.poller.assumeIsolated { $0.upkeep() }
            }
        }
    }
}
