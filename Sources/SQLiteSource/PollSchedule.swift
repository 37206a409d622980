// SPDX-License-Identifier: Apache-2.0

package import Logging
import NIOCore
import RowtailCore

/// When a file is polled: at every interval, when it is written, and again after a lock.
///
/// The timer is monotonic and the guarantee; ticks that come while a poll runs are skipped. Events of the file system are
/// a hint: the `-wal` file is written, and often synced, before the index that readers look at. So a wake-up is followed
/// by polls after 0.2, 0.4, 1, 4, 16, 64 and 256 ms, each counted from the one before; a file that is written on and on
/// is polled every millisecond, and one that is written during a longer wait begins anew. The two longest waits are for
/// a commit that takes long to sync, and left out when one was seen.
///
/// Ticks fall on multiples of the interval, so that files which share a thread are polled by one waking of it.
package actor PollSchedule {
    /// What a poll wishes for.
    enum Request {
        /// The file was opened: watch its directory.
        case watch
        /// It was locked: poll again soon.
        case retry
        /// It was read.
        case succeeded
        /// Something was committed since the last poll.
        case committed
        /// Rows will have settled after this time.
        case due(Duration)
        /// The anchors or the stored state are behind: see to them within a second.
        case upkeep
    }

    private static let followUps: [TimeAmount] = [
        .microseconds(200), .microseconds(400), .milliseconds(1), .milliseconds(4), .milliseconds(16),
        // A disk that is busy takes this long to sync.
        .milliseconds(64), .milliseconds(256),
    ]
    /// The least time between two polls for rows that settle.
    private static let settlingStep: Duration = .milliseconds(5)
    /// The step that is repeated while more is written.
    private static let busyStep = 2
    /// The last step when a commit was seen.
    private static let lastStepAfterCommit = 4

    /// The poller's event loop, which this runs on as well.
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        poller.unownedExecutor
    }

    private nonisolated let poller: DatabasePoller
    private var interval: Duration
    private var wakesOnWrite: Bool
    private let logger: Logger
    private var ticker: Ticker?
    private var tickDue: NIOScheduledCallback?
    private var watcher: FileWatcher?
    private var isWatchFailureLogged = false
    private var burst: Int?
    private var followUp: Scheduled<Void>?
    private var wasWokenAgain = false
    private var sawCommit = false
    private var retryDelay: Int64?
    private var isRetryDue = false
    private var isUpkeepDue = false
    private var settling: Scheduled<Void>?
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

    @discardableResult
    private func after(
        _ delay: TimeAmount,
        _ body: @escaping @Sendable (isolated PollSchedule) -> Void
    ) -> Scheduled<Void> {
        poller.eventLoop.scheduleTask(in: delay, enter(body))
    }

    /// Polls once and goes on until ``stop()``.
    package func start() {
        setWatcher()
        poller.assumeIsolated { poller in
            poller.report { [weak self] request in
                self?.assumeIsolated { $0.take(request) }
            }
        }
        poll()
        ticker = Ticker(onTick: enter { $0.tick() })
        scheduleTick()
    }

    /// Goes on with another interval, or with or without wake-ups.
    package func change(interval: Duration, wakesOnWrite: Bool) {
        guard !isStopped, interval != self.interval || wakesOnWrite != self.wakesOnWrite else { return }
        self.interval = interval
        self.wakesOnWrite = wakesOnWrite
        setWatcher()
        watch()
        tickDue?.cancel()
        // What was written just before it was watched is seen by this poll.
        poll()
        scheduleTick()
    }

    private func setWatcher() {
        guard wakesOnWrite else {
            watcher?.stop()
            watcher = nil
            return
        }
        guard watcher == nil else { return }
        watcher = FileWatcher(on: poller.eventLoop, onChange: enter { $0.wake() })
    }

    /// Whether the last poll came to an end when it should have, or later: no poll is stuck, and none is forgotten.
    package func makesProgress(within patience: Duration) -> Bool {
        .now - poller.assumeIsolated { $0.lastPolled } <= interval + patience
    }

    /// Stops polling, stores what changed and closes the database.
    package func stop() {
        isStopped = true
        ticker = nil
        tickDue?.cancel()
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
        scheduleTick()
    }

    /// At the next multiple of the interval after the last tick's poll: polls can't overlap, and no tick is made up for.
    private func scheduleTick() {
        guard let ticker, !isStopped else { return }
        let interval = UInt64(TimeAmount(interval).nanoseconds)
        let next = (NIODeadline.now().uptimeNanoseconds / interval + 1) * interval
        // A callback instead of a task: thousands of ticks a minute make no promise that nobody waits for.
        tickDue = try? poller.eventLoop.scheduleCallback(at: .uptimeNanoseconds(next), handler: ticker)
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
        guard (burst ?? .max) > Self.busyStep else {
            wasWokenAgain = true
            return
        }
        // Nor after a wait that was meant for the index of an earlier write.
        followUp?.cancel()
        sawCommit = false
        // Not at once: the index follows within a fraction of a millisecond.
        follow(up: 0)
    }

    private func follow(up step: Int) {
        burst = step
        followUp = after(Self.followUps[step]) { schedule in
            schedule.burst = nil
            let again = schedule.wasWokenAgain
            schedule.wasWokenAgain = false
            schedule.poll()
            let next = again ? min(step + 1, Self.busyStep) : step + 1
            let last = schedule.sawCommit ? Self.lastStepAfterCommit : Self.followUps.count - 1
            if next <= last { schedule.follow(up: next) }
        }
    }

    private func take(_ request: Request) {
        switch request {
        case .watch:
            watch()
        case .succeeded:
            retryDelay = nil
        case .committed:
            sawCommit = true
        case .retry:
            guard !isRetryDue else { return }
            isRetryDue = true
            let delay = min((retryDelay ?? 2) * 2, 1000)
            retryDelay = delay
            // At random, so that two readers don't meet the same writer again and again.
            after(.milliseconds(Int64.random(in: delay / 2...delay))) { schedule in
                schedule.isRetryDue = false
                schedule.poll()
            }
        case .due(let wait):
            // Where writes wake, rows are handed over as soon as they have settled; not one by one, as there may be many.
            guard wakesOnWrite, wait < .seconds(3600) else { return }
            settling?.cancel()
            settling = after(TimeAmount(max(wait, Self.settlingStep))) { $0.poll() }
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

/// Calls back at a tick.
private final class Ticker: NIOScheduledCallbackHandler, Sendable {
    private let onTick: @Sendable () -> Void

    init(onTick: @escaping @Sendable () -> Void) {
        self.onTick = onTick
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        onTick()
    }
}
