// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// A table in memory and the feed that publishes it, polled by hand.
package final class HandFedTable: Sendable {
    /// Where the rows are.
    package let source: InMemoryFeedSource

    /// What clients subscribe to.
    package let feed: Feed

    /// A table with the rows 1 to `rows`, polled once unless told otherwise; the feed's tail is empty.
    package init(
        _ name: String = "orders",
        rows: Int64 = 0,
        source: InMemoryFeedSource? = nil,
        polled: Bool = true,
        configure: (inout Feed.Options) -> Void = { _ in }
    ) {
        self.source = source ?? InMemoryFeedSource(feed: name)
        var options = Feed.Options(name: name, table: name)
        configure(&options)
        feed = Feed(options: options, source: self.source)
        if rows > 0 { _ = self.source.append(1...rows) }
        if polled { begin() }
    }

    /// The newest position.
    private var head: Position {
        source.last > 0 ? .integer(source.last) : .earliest
    }

    /// Hands the head over as the first successful poll does, or as one that found a new generation.
    ///
    /// Rows past `last` are gone by then.
    package func begin(_ history: GenerationHistory = GenerationHistory(), last: Int64? = nil) {
        source.rewind(to: last ?? source.last, generation: history.current)
        feed.begin(history, head: head)
        polled()
    }

    /// Adds the next rows and publishes them.
    package func publish(_ count: Int64 = 1) {
        feed.publish(append(count))
        polled(.rows)
    }

    /// Adds the next rows and moves the head past them, as a poll does when nobody listens.
    package func advance(_ count: Int64 = 1) {
        _ = append(count)
        feed.advance(to: head)
        polled(.rows)
    }

    /// Adds the next rows without telling anyone.
    @discardableResult
    package func append(_ count: Int64) -> Segment {
        let last = source.last
        return source.append(last + 1...last + count)
    }

    /// Records a poll.
    package func polled(_ result: PollResult = .quiet, _ state: FeedState? = .live) {
        feed.polled(result, state: state, took: .microseconds(300), timestamp: 1_790_000_000)
    }
}

extension GenerationHistory {
    /// A history with one break after another, each with its base; `nil` where nothing is shared.
    package static func broken(_ bases: Int64?...) -> GenerationHistory {
        var history = GenerationHistory()
        for base in bases { history.advance(base: base.map(Position.integer)) }
        return history
    }
}
