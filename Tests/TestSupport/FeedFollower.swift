// SPDX-License-Identifier: Apache-2.0

import NIOCore
package import RowtailCore

/// One client's stream without a socket: drives a ``SubscriberState`` against a feed, and reads behind the tail.
///
/// What it is told is kept in words: `3` or `3@1` for an event, `reset rewound 9 -> 7@1`, `end head`.
package final class FeedFollower {
    /// Where the stream stands.
    package private(set) var state: SubscriberState

    /// The events since the last ``take()``.
    package private(set) var frames: [StreamClient.Frame] = []

    private let feed: Feed
    private let recorder: FeedRecorder
    private var told: [String] = []
    private var hasEnded = false

    /// A stream that starts after an id of the current generation; counts as a subscriber from now on.
    package init(
        _ feed: Feed,
        _ recorder: FeedRecorder,
        after start: EventID,
        limit: Int? = nil,
        until: Position? = nil,
        policy: ResetPolicy = .earliest
    ) {
        self.feed = feed
        self.recorder = recorder
        state = SubscriberState(start: start, limit: limit, until: until, policy: policy)
        feed.countSubscriber(1)
    }

    deinit {
        feed.countSubscriber(-1)
    }

    /// Receives all there is.
    ///
    /// - Returns: What the client was told since the last call.
    /// - Throws: What a page that can't be read throws.
    package func take() async throws -> [String] {
        frames = []
        told = []
        while !hasEnded {
            let view = try await recorder.view()
            switch state.next(in: view) {
            case .wait:
                return told
            case .send(let slice):
                let sent = slice.segment.frames(slice.events)
                frames += sent
                told += sent.map(\.words)
                state.sent(slice, events: slice.events.count)
            case .read(let after, let through):
                state.requestedPage()
                do {
                    let page = try await feed.source.page(
                        after: after,
                        through: through,
                        generation: state.generation,
                        on: recorder.eventLoop
                    ).get()
                    state.received(page)
                } catch {
                    state.received(nil)
                    throw error
                }
            case .reset(let reset):
                told.append("reset \(reset.reason) \(reset.requested) -> \(reset.resumedFrom)")
                state.wasReset(reset, in: view)
            case .end(let reason):
                told.append("end \(reason)")
                hasEnded = true
            }
        }
        return told
    }

    /// The rows of the events of the last ``take()``.
    package var rows: [String] {
        frames.compactMap(\.data)
    }
}
