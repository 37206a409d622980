// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Dispatch
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
        enum Kind: Hashable {
            case page(through: Position)
            case position(count: Int, through: Position)
        }

        var feed: String
        var after: Position
        var generation: Int
        var kind: Kind

        /// How far a page goes is no part of what it is: it may end before anyway.
        var shared: Key {
            var key = self
            if case .page = kind { key.kind = .page(through: .earliest) }
            return key
        }
    }

    private enum Answer: Sendable {
        case segment(Segment)
        case position(Position)
    }

    private typealias Waiter = @Sendable (Result<Answer, any Error>) -> Void

    private struct State {
        var line: Deque<Job> = []
        var waiters: [Key: [Waiter]] = [:]
        var idle: [ReplayWorker] = []
        var workers = 0
        var pagesRead: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// A pool without connections; they are opened when they are needed.
    ///
    /// - Parameter limit: How many reads go on at a time; `nil` for no limit.
    package init(limit: Int?) {
        self.limit = limit ?? .max
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
        on eventLoop: any EventLoop
    ) -> EventLoopFuture<Segment> {
        let promise = eventLoop.makePromise(of: Segment.self)
        let kind = Key.Kind.page(through: through)
        submit(Job(key: Key(feed: source.name, after: after, generation: generation, kind: kind), source: source)) {
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
        let promise = eventLoop.makePromise(of: Position.self)
        let kind = Key.Kind.position(count: count, through: through)
        submit(Job(key: Key(feed: source.name, after: .earliest, generation: 0, kind: kind), source: source)) {
            promise.completeWith(
                $0.flatMap { if case .position(let found) = $0 { .success(found) } else { .failure(ChannelError.eof) } }
            )
        }
        return promise.futureResult
    }

    private func submit(_ job: Job, _ waiter: @escaping Waiter) {
        let worker: ReplayWorker? = state.withLock { state in
            let key = job.key.shared
            guard state.waiters[key] == nil else {
                state.waiters[key]?.append(waiter)
                return nil
            }
            state.waiters[key] = [waiter]
            state.line.append(job)
            if let idle = state.idle.popLast() { return idle }
            guard state.workers < limit else { return nil }
            state.workers += 1
            return ReplayWorker(number: state.workers)
        }
        guard let worker else { return }
        worker.queue.async { self.work(worker) }
    }

    /// Takes jobs from the line until there are none.
    private func work(_ worker: ReplayWorker) {
        while true {
            let next: Job? = state.withLock { state in
                guard let job = state.line.popFirst() else {
                    state.idle.append(worker)
                    return nil
                }
                return job
            }
            guard let job = next else { return }
            let result = Result { try answer(job, worker) }
            let waiters = state.withLock { state in
                if case .page = job.key.kind { state.pagesRead += 1 }
                return state.waiters.removeValue(forKey: job.key.shared) ?? []
            }
            for waiter in waiters {
                waiter(result)
            }
        }
    }

    private func answer(_ job: Job, _ worker: ReplayWorker) throws -> Answer {
        switch job.key.kind {
        case .page(let through):
            .segment(
                try worker.page(job.source, after: job.key.after, through: through, generation: job.key.generation)
            )
        case .position(let count, let through):
            .position(try worker.position(job.source, beforeNewest: count, through: through))
        }
    }
}
