// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Dispatch
package import Logging
import NIOCore
import RowtailCore
import Synchronization

/// A bounded pool of read-only connections for subscribers behind the tail.
///
/// Requests wait in one line, so subscribers take turns; a request that equals one in line or under way joins it, so
/// that a page is read once however many clients want it. Each read is one short transaction on a queue of its own.
package final class ReplayPool: Sendable {
    private struct Job {
        var key: Key
        var source: SQLiteFeedSource
    }

    private struct Key: Hashable {
        var source: Int
        var generation: Int
        var read: ReplayRead

        /// How far a page goes is no part of what it is: it may end before anyway.
        var shared: Key {
            var key = self
            if case .page(let after, _) = read { key.read = .page(after: after, through: .earliest) }
            return key
        }
    }

    private enum Answer: Sendable {
        case segment(Segment)
        case position(Position)
    }

    /// Nobody waits for the answer, or the pool was stopped.
    private struct Dropped: Error {}

    private struct Waiter: Sendable {
        var interest: PageInterest
        var complete: @Sendable (Result<Answer, any Error>) -> Void
    }

    private struct State {
        var line: Deque<Job> = []
        var waiters: [Key: [Waiter]] = [:]
        var limit: Int
        var workers: [ReplayWorker] = []
        var idle: [ReplayWorker] = []
        var pagesRead: UInt64 = 0
        var isStopped = false
        /// The files that are not to be opened now.
        var released: Set<String> = []
        /// The feeds whose last read failed, which was said.
        var failing: Set<String> = []
    }

    private let logger: Logger?
    private let state: Mutex<State>
    private let busy = DispatchGroup()

    /// A pool without connections; they are opened when they are needed.
    ///
    /// - Parameters:
    ///   - limit: How many reads go on at a time; `nil` for no limit.
    ///   - logger: Gets failures, once for each feed until it can be read again.
    package init(limit: Int?, logger: Logger? = nil) {
        state = Mutex(State(limit: limit ?? .max))
        self.logger = logger
    }

    /// Changes how many reads go on at a time.
    ///
    /// `nil` is no limit. Those under way come to their end.
    package func setLimit(_ limit: Int?) {
        state.withLock { $0.limit = limit ?? .max }
    }

    /// Closes what was opened for sources that are none of these.
    package func keep(only sources: [SQLiteFeedSource]) {
        let (paths, numbers, names) = (
            Set(sources.map(\.path)), Set(sources.map(\.number)), Set(sources.map(\.name))
        )
        let workers = state.withLock { state in
            state.failing.formIntersection(names)
            return state.workers
        }
        for worker in workers {
            worker.queue.async { worker.keep(paths: paths, sources: numbers) }
        }
    }

    /// Closes the connections to a file, and opens none before ``resume(_:)``; reads of it fail meanwhile.
    ///
    /// `onClosed` is called when all are closed, on any thread.
    func release(_ path: String, onClosed: @escaping @Sendable () -> Void) {
        let workers = state.withLock { state in
            state.released.insert(path)
            return state.workers
        }
        let closed = DispatchGroup()
        for worker in workers {
            worker.queue.async(group: closed) { worker.close(path) }
        }
        closed.notify(queue: .global(), execute: onClosed)
    }

    /// Reads a file again.
    func resume(_ path: String) {
        state.withLock { _ = $0.released.remove(path) }
    }

    /// Drops what waits in line, takes nothing more, and returns when the reads under way are over.
    package func stop() async {
        let dropped = state.withLock { state in
            state.isStopped = true
            let waiters = state.line.flatMap { state.waiters.removeValue(forKey: $0.key.shared) ?? [] }
            state.line = []
            return waiters
        }
        for waiter in dropped { waiter.complete(.failure(Dropped())) }
        await withCheckedContinuation { continuation in
            busy.notify(queue: .global()) { continuation.resume() }
        }
    }

    /// How many pages were read so far.
    package var pagesRead: UInt64 {
        state.withLock { $0.pagesRead }
    }

    func page(
        _ source: SQLiteFeedSource,
        after: Position,
        through: Position,
        generation: Int,
        for interest: PageInterest,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        let promise = eventLoop.makePromise(of: Segment.self)
        let read = ReplayRead.page(after: after, through: through)
        let key = Key(source: source.number, generation: generation, read: read)
        submit(Job(key: key, source: source), interest) {
            promise.completeWith(
                $0.flatMap {
                    if case .segment(let segment) = $0 { .success(segment) } else { .failure(ChannelError.eof) }
                }
            )
        }
        return promise.futureResult
    }

    func position(
        _ source: SQLiteFeedSource,
        beforeNewest count: Int,
        through: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        position(source, .position(count: count, through: through), on: eventLoop)
    }

    func position(
        _ source: SQLiteFeedSource,
        before time: UnixTime,
        through: Position,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        position(source, .time(time, through: through), on: eventLoop)
    }

    private func position(
        _ source: SQLiteFeedSource,
        _ read: ReplayRead,
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Position> {
        let promise = eventLoop.makePromise(of: Position.self)
        let key = Key(source: source.number, generation: 0, read: read)
        submit(Job(key: key, source: source), PageInterest()) {
            promise.completeWith(
                $0.flatMap { if case .position(let found) = $0 { .success(found) } else { .failure(ChannelError.eof) } }
            )
        }
        return promise.futureResult
    }

    private func submit(
        _ job: Job,
        _ interest: PageInterest,
        _ complete: @escaping @Sendable (Result<Answer, any Error>) -> Void
    ) {
        let waiter = Waiter(interest: interest, complete: complete)
        let (worker, isStopped): (ReplayWorker?, Bool) = state.withLock { state in
            guard !state.isStopped else { return (nil, true) }
            return (admit(job, waiter, &state), false)
        }
        if isStopped { complete(.failure(Dropped())) }
        guard let worker else { return }
        worker.queue.async { self.work(worker) }
    }

    /// Puts a job in line, unless one like it is there.
    ///
    /// - Returns: A worker to set to work.
    private func admit(_ job: Job, _ waiter: Waiter, _ state: inout State) -> ReplayWorker? {
        let key = job.key.shared
        guard state.waiters[key] == nil else {
            state.waiters[key]?.append(waiter)
            return nil
        }
        state.waiters[key] = [waiter]
        state.line.append(job)
        guard state.workers.count - state.idle.count < state.limit else { return nil }
        busy.enter()
        if let idle = state.idle.popLast() { return idle }
        let worker = ReplayWorker(number: state.workers.count + 1)
        state.workers.append(worker)
        return worker
    }

    /// Takes a job from the line, and the next one after what waits in the worker's queue, which may be to close a file.
    private func work(_ worker: ReplayWorker) {
        guard let job = next(for: worker) else {
            busy.leave()
            return
        }
        let result = Result { try answer(job, worker) }
        let waiters = state.withLock { state in
            if case .page = job.key.read { state.pagesRead += 1 }
            return state.waiters.removeValue(forKey: job.key.shared) ?? []
        }
        for waiter in waiters {
            waiter.complete(result)
        }
        report(result, of: job)
        worker.queue.async { self.work(worker) }
    }

    /// The next job in line that somebody still waits for; clients come and go quicker than pages are read.
    ///
    /// - Returns: `nil` when there is none, and the worker is idle.
    private func next(for worker: ReplayWorker) -> Job? {
        let (job, dropped): (Job?, [Waiter]) = state.withLock { state in
            var dropped: [Waiter] = []
            // More than the limit are at work after it was lowered.
            let isOneTooMany = state.workers.count - state.idle.count > state.limit
            while !isOneTooMany, let job = state.line.popFirst() {
                let key = job.key.shared
                if state.waiters[key]?.contains(where: { !$0.interest.isLost }) == true { return (job, dropped) }
                dropped += state.waiters.removeValue(forKey: key) ?? []
            }
            state.idle.append(worker)
            return (nil, dropped)
        }
        for waiter in dropped {
            waiter.complete(.failure(Dropped()))
        }
        return job
    }

    /// Says once when a feed's older rows can't be read, and once when they can again; whether the feed is broken is for its
    /// poller to find out.
    private func report(_ result: Result<Answer, any Error>, of job: Job) {
        let feed = job.source.name
        switch result {
        case .success:
            guard state.withLock({ $0.failing.remove(feed) }) != nil else { return }
            logger?.notice("older rows can be read again", metadata: ["feed": "\(feed)"])
        case .failure(let error):
            // What a client asks amiss says nothing of the table.
            guard !(error is NoTimes) else { return }
            let reason = SourceError(error, path: job.source.path)
            if reason.code == .broken, !SourceError.isTooSlow(error) { job.source.examine(job.key.read) }
            guard state.withLock({ $0.failing.insert(feed).inserted }) else { return }
            logger?.warning(
                "older rows can't be read, trying again",
                metadata: ["feed": "\(feed)", "reason": "\(reason)"]
            )
        }
    }

    private func answer(_ job: Job, _ worker: ReplayWorker) throws -> Answer {
        guard state.withLock({ !$0.released.contains(job.source.path) }) else {
            throw SourceError(.busy, "database '\(job.source.path)' is being opened anew")
        }
        return switch job.key.read {
        case .page(let after, let through):
            .segment(
                try worker.page(job.source, after: after, through: through, generation: job.key.generation)
            )
        case .position(let count, let through):
            .position(try worker.position(job.source, beforeNewest: count, through: through))
        case .time(let time, let through):
            .position(try worker.position(job.source, before: time, through: through))
        }
    }
}
