// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOPosix
package import RowtailCore
import Synchronization

/// Takes a feed's news on an event loop, as a server does, and keeps them.
package final class FeedRecorder: Sendable {
    private struct State {
        var view: FeedView
        var news: [FeedNews] = []
    }

    /// Where the news arrive.
    package let eventLoop: any EventLoop

    private let state: Mutex<State>

    /// Follows a feed from now on; `onNews` is called on the event loop with each piece of news, before it is kept.
    package init(
        _ feed: Feed,
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any(),
        onNews: @escaping @Sendable (FeedNews) -> Void = { _ in }
    ) {
        self.eventLoop = eventLoop
        let state = Mutex(State(view: FeedView(tailBytes: feed.options.tailBytes)))
        self.state = state
        // Under the lock, so that news wait for the view they belong to.
        self.state.withLock { state in
            state.view = feed.observe(on: eventLoop) { [weak self] news in
                onNews(news)
                self?.take(news)
            }
        }
    }

    private func take(_ news: FeedNews) {
        state.withLock { state in
            state.view.apply(news)
            state.news.append(news)
        }
    }

    /// Waits until everything announced before this call has arrived.
    private func flush() async throws {
        try await eventLoop.submit {}.get()
    }

    /// What the event loop knows of the feed now.
    package func view() async throws -> FeedView {
        try await flush()
        return state.withLock { $0.view }
    }

    /// The news since the last call, in words: `3 4` for rows, `advanced 4`, `generation 1 head 2 base 2`.
    package func take() async throws -> [String] {
        try await flush()
        let news = state.withLock { state in
            defer { state.news = [] }
            return state.news
        }
        return news.map(Self.describe)
    }

    private static func describe(_ news: FeedNews) -> String {
        switch news {
        case .segment(let segment):
            return segment.frames().map(\.words).joined(separator: " ")
        case .advanced(let head):
            return "advanced \(head)"
        case .pruned(let position):
            return "pruned \(position)"
        case .generation(let history, let head):
            let base = history.breaks.last.map { $0.replaced ? " replaced" : " base \($0.base)" } ?? ""
            return "generation \(history.current) head \(head)\(base)"
        }
    }
}
