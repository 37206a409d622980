// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore
import RowtailCore

/// `GET /metrics`: every figure, in Prometheus' text format 0.0.4.
final class MetricsRoute: Sendable {
    private let version: String
    private let fanOuts: FanOuts
    private let replayPages: @Sendable () -> UInt64

    init(
        version: String,
        fanOuts: FanOuts,
        replayPages: @escaping @Sendable () -> UInt64
    ) {
        self.version = version
        self.fanOuts = fanOuts
        self.replayPages = replayPages
    }

    /// Asks every event loop for its figures and adds them up.
    func answer(_ feeds: [Feed]) -> EventLoopFuture<ShortAnswer> {
        fanOuts.snapshot().map { streams in
            ShortAnswer(
                status: .ok,
                fields: [.contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-cache"],
                body: self.text(feeds, streams)
            )
        }
    }

    private func text(_ feeds: [Feed], _ streams: StreamMetrics) -> String {
        var text = MetricsText()
        let polled = feeds.map { ($0.name, $0.status) }
        text.metric("rowtail_build_info", .gauge, "The version that runs.")
        text.sample(["version": version], 1)

        text.metric("rowtail_polls_total", .counter, "Polls, by what came of them.")
        for (name, status) in polled {
            for result in PollResult.allCases {
                text.sample(["feed": name, "result": result.rawValue], Double(status.polls[result] ?? 0))
            }
        }
        text.metric("rowtail_poll_seconds", .histogram, "How long polls took.")
        for (name, status) in polled { text.histogram(["feed": name], status.pollSeconds) }
        text.metric("rowtail_rows_total", .counter, "Rows read by the poller.")
        for (name, status) in polled { text.sample(["feed": name], Double(status.rows)) }
        text.metric("rowtail_head_position", .gauge, "The newest position.")
        for (name, status) in polled {
            if let head = status.head.number { text.sample(["feed": name], head) }
        }
        text.metric(
            "rowtail_lag_rows",
            .gauge,
            "How far the subscriber furthest behind is from the head, in positions."
        )
        for feed in feeds { text.sample(["feed": feed.name], streams.lag(of: feed)) }
        text.metric("rowtail_late_rows_total", .counter, "Rows found before the watermark after it had passed them.")
        for (name, status) in polled { text.sample(["feed": name], Double(status.lateRows)) }
        text.metric("rowtail_future_rows", .gauge, "Rows held back, as their time lies too far ahead.")
        for (name, status) in polled { text.sample(["feed": name], Double(status.futureRows)) }
        text.metric("rowtail_last_success_timestamp_seconds", .gauge, "When a poll last succeeded.")
        for (name, status) in polled { text.sample(["feed": name], status.lastSuccessTimestamp) }
        self.streams(feeds, streams, &text)
        return text.result
    }

    private func streams(_ feeds: [Feed], _ streams: StreamMetrics, _ text: inout MetricsText) {
        let figures = feeds.map { ($0.name, streams.feeds[$0.name] ?? StreamMetrics.FeedFigures()) }
        text.metric("rowtail_resets_total", .counter, "Resets that clients were told of.")
        for (name, feed) in figures {
            for reason in ResetReason.allCases {
                text.sample(["feed": name, "reason": reason.rawValue], Double(feed.resets[reason] ?? 0))
            }
        }
        text.metric("rowtail_subscribers", .gauge, "Open streams.")
        for (name, feed) in figures {
            text.sample(["feed": name, "state": "live"], Double(feed.live))
            text.sample(["feed": name, "state": "replaying"], Double(feed.replaying))
        }
        text.metric("rowtail_streams_total", .counter, "Requests for streams, by what came of them.")
        for outcome in StreamMetrics.Outcome.allCases {
            text.sample(["outcome": outcome.rawValue], Double(streams.streams[outcome] ?? 0))
        }
        text.metric("rowtail_resumes_total", .counter, "Streams that began with an id, by how they went on.")
        for outcome in StreamMetrics.Resume.allCases {
            text.sample(["outcome": outcome.rawValue], Double(streams.resumes[outcome] ?? 0))
        }
        text.metric("rowtail_stream_closed_total", .counter, "Streams closed, by reason.")
        for reason in StreamMetrics.Closed.allCases {
            text.sample(["reason": reason.rawValue], Double(streams.closed[reason] ?? 0))
        }
        text.metric("rowtail_events_sent_total", .counter, "Events sent to subscribers.")
        for (name, feed) in figures { text.sample(["feed": name], Double(feed.eventsSent)) }
        text.metric("rowtail_bytes_sent_total", .counter, "Bytes of streams sent.")
        text.sample([:], Double(streams.bytesSent))
        text.metric("rowtail_replay_pages_total", .counter, "Pages read for subscribers behind the tail.")
        text.sample([:], Double(replayPages()))
        text.metric(
            "rowtail_delivery_seconds",
            .histogram,
            "From the start of the poll that found rows to the last live subscriber's socket."
        )
        text.histogram([:], streams.delivery)
    }
}
