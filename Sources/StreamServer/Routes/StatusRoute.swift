// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import NIOCore
import RowtailCore

/// `GET /status`: how the daemon and its feeds fare, for the status page.
final class StatusRoute: Sendable {
    private let version: String
    private let fanOuts: FanOuts
    private let limits: StreamLimits
    private let started = ContinuousClock.now

    init(version: String, fanOuts: FanOuts, limits: StreamLimits) {
        self.version = version
        self.fanOuts = fanOuts
        self.limits = limits
    }

    /// Asks every event loop for its figures, and tells those of the feeds.
    func answer(_ feeds: [Feed], access: AccessList?) -> EventLoopFuture<ShortAnswer> {
        fanOuts.snapshot().map { .json(.ok, self.text(feeds, access, $0)) }
    }

    private func text(_ feeds: [Feed], _ access: AccessList?, _ streams: StreamMetrics) -> String {
        let now = ContinuousClock.now
        let use = limits.use
        let objects = feeds.map { Self.object($0, streams, at: now) }
        return """
            {"version":\(JSONString.quoted(version)),"uptime_seconds":\(Self.seconds(now - started)),\
            "streams":\(use.streams),"stream_limit":\(Self.optional(use.limit)),\
            "needs_token":\(access != nil),"allows_query_token":\(access?.allowsQueryToken ?? false),\
            "feeds":[\(objects.joined(separator: ","))]}
            """
    }

    private static func object(_ feed: Feed, _ streams: StreamMetrics, at now: ContinuousClock.Instant) -> String {
        let status = feed.status
        let figures = streams.feeds[feed.name] ?? StreamMetrics.FeedFigures()
        let generation = status.history.current
        let head = EventID(status.head, generation: generation)
        let earliest = EventID(status.earliest, generation: generation)
        let state = feed.options.isRetired ? "retired" : status.state.name
        // Times are apart by other things than rows.
        let lag = feed.options.mode == .updated ? nil : Int(min(streams.lag(of: feed), 1e15))
        let resets = ResetReason.allCases.map { "\"\($0.rawValue)\":\(figures.resets[$0] ?? 0)" }
        let age = status.lastSuccess.map { seconds(now - $0) }
        return """
            {"name":"\(feed.name)","table":\(JSONString.quoted(feed.options.table)),"mode":"\(feed.options.mode.rawValue)",\
            "event":\(quoted(feed.options.event)),"state":"\(state)","reason":\(quoted(status.state.reason)),\
            "last_error":\(quoted(status.lastError)),"head":"\(head)","earliest":"\(earliest)","generation":\(generation),\
            "lag":\(optional(lag)),"last_success_seconds_ago":\(age ?? "null"),\
            "live":\(figures.live),"replaying":\(figures.replaying),"resets":{\(resets.joined(separator: ","))},\
            "rows":{"seconds":\(RowRate.seconds),"counts":[\(feed.recentRows(at: now).map(optional).joined(separator: ","))]}}
            """
    }

    private static func optional(_ number: Int?) -> String {
        number.map(String.init) ?? "null"
    }

    private static func quoted(_ text: String?) -> String {
        text.map(JSONString.quoted) ?? "null"
    }

    /// A duration in seconds, to the millisecond.
    private static func seconds(_ duration: Duration) -> String {
        "\((duration / .milliseconds(1)).rounded() / 1000)"
    }
}
