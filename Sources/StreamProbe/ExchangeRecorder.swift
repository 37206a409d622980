// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// Notes what comes in on a connection, until there is enough of it.
///
/// Handlers and the timer call it on one event loop, so that nobody ever waits for the lock.
final class ExchangeRecorder: Sendable {
    private struct State: ~Copyable {
        var exchange = Exchange()
        var parser = FrameParser()
        /// The bytes of the read under way.
        var bytes = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now
    private let promise: EventLoopPromise<Exchange>
    private let isEnough: @Sendable (Exchange, Duration) -> Bool

    /// Records for a request; `isEnough` is asked after each read, and every 50 ms.
    init(_ promise: EventLoopPromise<Exchange>, isEnough: @escaping @Sendable (Exchange, Duration) -> Bool) {
        self.promise = promise
        self.isEnough = isEnough
    }

    /// The time since the request began.
    private var elapsed: Duration { ContinuousClock.now - start }

    func connected() {
        let now = elapsed
        state.withLock { $0.exchange.connectedAt = now }
    }

    func head(_ head: Exchange.Head) {
        let now = elapsed
        state.withLock { state in
            // Those that announce another, as 103 does, are no answer yet.
            guard head.status >= 200 else { return }
            state.exchange.head = head
            state.exchange.headAt = now
        }
        look()
    }

    func body(_ buffer: ByteBuffer) {
        let now = elapsed
        state.withLock { state in
            state.bytes += buffer.readableBytes
            guard let head = state.exchange.head, head.encoding == nil else { return }
            if head.isStream {
                let read = state.exchange.reads.count
                state.exchange.frames += state.parser.take(buffer.readableBytesView, at: now, read: read)
            } else if state.exchange.body.utf8.count < Exchange.keptOfBody {
                let kept = buffer.readableBytesView.prefix(Exchange.keptOfBody - state.exchange.body.utf8.count)
                state.exchange.body += String(decoding: kept, as: UTF8.self)
            }
        }
    }

    /// Everything that the socket had was read.
    func readComplete() {
        noteRead()
        look()
    }

    private func noteRead() {
        let now = elapsed
        state.withLock { state in
            guard state.bytes > 0 else { return }
            state.exchange.reads.append(Exchange.Read(at: now, bytes: state.bytes))
            state.bytes = 0
        }
    }

    /// Leaves when there is enough.
    func look() {
        let exchange = state.withLock { $0.isOver ? nil : $0.exchange }
        if let exchange, exchange.frames.count >= Exchange.mostFrames || isEnough(exchange, elapsed) { finish(.left) }
    }

    /// Nothing more will come, or is wanted.
    func finish(_ end: Exchange.End, failure: String? = nil) {
        noteRead()
        let now = elapsed
        let exchange = state.withLock { state -> Exchange? in
            guard !state.isOver else { return nil }
            state.isOver = true
            state.exchange.end = end
            state.exchange.endedAt = now
            state.exchange.failure = failure
            return state.exchange
        }
        if let exchange { promise.succeed(exchange) }
    }

    /// No connection came about.
    func fail(_ error: any Error) {
        let isFirst = state.withLock { state in
            defer { state.isOver = true }
            return !state.isOver
        }
        if isFirst { promise.fail(error) }
    }
}
