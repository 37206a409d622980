// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The ``FanOut`` of each event loop, reached from any thread.
final class FanOuts: Sendable {
    private struct Entry {
        var eventLoop: any EventLoop
        var fanOut: NIOLoopBound<FanOut>
    }

    private let entries = Mutex<[Entry]>([])

    /// Makes one for an event loop, which serves what the router says.
    func add(_ router: Router, on eventLoop: any EventLoop) async throws {
        try await eventLoop.submit { self.add(FanOut(router, eventLoop: eventLoop)) }.get()
    }

    /// Takes in one that was made on the event loop which this is called on.
    func add(_ fanOut: FanOut) {
        let entry = Entry(
            eventLoop: fanOut.eventLoop,
            fanOut: NIOLoopBound(fanOut, eventLoop: fanOut.eventLoop)
        )
        entries.withLock { $0.append(entry) }
    }

    /// That of the event loop which this is called on; `nil` on any other.
    func current(_ eventLoop: any EventLoop) -> FanOut? {
        entries.withLock { $0.first { $0.eventLoop === eventLoop }?.fanOut }?.value
    }

    /// Does something on every event loop.
    ///
    /// - Returns: What came of it on each, once it is done on all.
    func onEach<Result: Sendable>(
        _ body: @escaping @Sendable (FanOut) -> EventLoopFuture<Result>
    ) -> EventLoopFuture<[Result]> {
        let entries = entries.withLock { $0 }
        let futures = entries.map { entry in entry.eventLoop.flatSubmit { body(entry.fanOut.value) } }
        return EventLoopFuture.whenAllSucceed(futures, on: entries[0].eventLoop)
    }

    /// What all of them counted.
    func snapshot() -> EventLoopFuture<StreamMetrics> {
        onEach { $0.eventLoop.makeSucceededFuture($0.snapshot()) }.map { parts in
            var streams = StreamMetrics()
            for part in parts { streams.merge(part) }
            return streams
        }
    }
}
