// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What goes out on a connection after the head of a stream.
enum ActiveStream {
    /// The events of one feed.
    case one(Subscriber, FeedGroup)
    /// The events of several.
    case several(CombinedStream)

    /// Sends the first frame, and begins.
    func start(with firstFrame: String) {
        switch self {
        case .one(let subscriber, let group): group.add(subscriber, firstFrame: firstFrame)
        case .several(let stream): stream.start(with: firstFrame)
        }
    }

    /// Sends a comment.
    func beat() {
        switch self {
        case .one(let subscriber, let group): group.beat(subscriber)
        case .several(let stream): stream.beat()
        }
    }

    /// Takes note that the connection is gone; the first reason counts.
    func connectionClosed(_ reason: StreamMetrics.Closed) {
        switch self {
        case .one(let subscriber, let group): group.remove(subscriber, reason)
        case .several(let stream): stream.close(reason)
        }
    }
}
