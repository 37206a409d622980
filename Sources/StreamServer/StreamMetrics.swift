// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import RowtailCore

/// What one event loop counted of its streams; added up over all loops when someone asks.
struct StreamMetrics: Sendable {
    /// What the figures of one feed are.
    struct FeedFigures: Sendable {
        var live = 0
        var replaying = 0
        var eventsSent: UInt64 = 0
        var resets: [ResetReason: UInt64] = [:]
        var furthestBehind: Position?
    }

    /// What became of a request for a stream.
    enum Outcome: String, CaseIterable {
        case opened
        case nothingNew = "nothing_new"
        case refused
        case limited
    }

    /// How a stream went on after an id.
    enum Resume: String, CaseIterable {
        case exact, rewound, replaced, pruned, ahead, generation
    }

    /// Why a stream was closed.
    enum Closed: String, CaseIterable {
        case limit, head, drain, age, reset, reload, unauthorized, client
        case writeTimeout = "write_timeout"
    }

    var feeds: [String: FeedFigures] = [:]
    var streams: [Outcome: UInt64] = [:]
    var resumes: [Resume: UInt64] = [:]
    var closed: [Closed: UInt64] = [:]
    var bytesSent: UInt64 = 0
    var delivery = Histogram()

    /// How far the subscriber furthest behind is from a feed's head, in positions.
    func lag(of feed: Feed) -> Double {
        feeds[feed.name]?.furthestBehind.map { $0.distance(to: feed.status.head) } ?? 0
    }

    /// Adds what another loop counted.
    mutating func merge(_ other: StreamMetrics) {
        for (name, figures) in other.feeds {
            var sum = feeds[name] ?? FeedFigures()
            sum.live += figures.live
            sum.replaying += figures.replaying
            sum.eventsSent += figures.eventsSent
            sum.resets.merge(figures.resets, uniquingKeysWith: +)
            sum.furthestBehind = [sum.furthestBehind, figures.furthestBehind].compactMap(\.self).min()
            feeds[name] = sum
        }
        streams.merge(other.streams, uniquingKeysWith: +)
        resumes.merge(other.resumes, uniquingKeysWith: +)
        closed.merge(other.closed, uniquingKeysWith: +)
        bytesSent += other.bytesSent
        delivery.merge(other.delivery)
    }
}

extension StreamMetrics.Closed {
    /// Why a stream is over whose socket failed.
    ///
    /// ETIMEDOUT says that the peer took or acknowledged nothing for TCP_USER_TIMEOUT, which is the write timeout: the kernel
    /// saw it before the daemon did (tcp(7)).
    init(errno: CInt) {
        self = errno == ETIMEDOUT ? .writeTimeout : .client
    }

    /// Why a stream is over whose connection failed.
    init(_ error: any Error) {
        self = (error as? IOError).map { Self(errno: $0.errnoCode) } ?? .client
    }

    init(_ reason: EndReason) {
        switch reason {
        case .limit: self = .limit
        case .head: self = .head
        case .drain: self = .drain
        case .age: self = .age
        case .reset: self = .reset
        case .reload: self = .reload
        case .unauthorized: self = .unauthorized
        }
    }
}

extension StreamMetrics.Resume {
    init(_ reason: ResetReason) {
        switch reason {
        case .rewound: self = .rewound
        case .replaced: self = .replaced
        case .pruned: self = .pruned
        case .ahead: self = .ahead
        case .generation: self = .generation
        }
    }
}
