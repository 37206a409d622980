// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// Time and ends.
extension FeedGroup {
    /// Sees to heartbeats, greatest ages and clients that take nothing.
    func tick(_ options: ServerOptions) {
        let now = fanOut.now
        pieces.chunked.forget()
        pieces.plain.forget()
        let heartbeat = TimeAmount(options.heartbeatInterval)
        if stragglers.contains(where: { $0.undecided != nil }), feed.status.isCurrent { settle() }
        for subscriber in cohort.due(at: now, heartbeat: heartbeat) + stragglers where !subscriber.isClosed {
            if subscriber.isInCohort { cohort.update(subscriber) }
            if let endsAt = subscriber.endsAt, now >= endsAt, subscriber.ending == nil {
                subscriber.ending = .age
                pump(subscriber)
            } else if subscriber.isBlocked {
                watchBlocked(subscriber, options)
            } else if now - subscriber.lastProgress >= heartbeat {
                beat(subscriber)
            }
        }
    }

    /// Sends a comment, and where the stream stands if the client doesn't know.
    func beat(_ subscriber: Subscriber) {
        guard !subscriber.isBlocked, !subscriber.isClosed else { return }
        if subscriber.isInCohort { cohort.update(subscriber) }
        var frame = ControlFrame.heartbeat
        if let state = subscriber.state, state.needsCheckpoint {
            frame = ControlFrame.checkpoint(state.id) + frame
            subscriber.state?.checkpointed()
        }
        write(frame, to: subscriber)
    }

    private func watchBlocked(_ subscriber: Subscriber, _ options: ServerOptions) {
        subscriber.state?.releasePage()
        let pending = subscriber.connection.unacknowledged()
        if pending != subscriber.unacknowledged {
            subscriber.unacknowledged = pending
            subscriber.lastProgress = fanOut.now
        }
        guard let limit = options.limits.writeTimeout, fanOut.now - subscriber.lastProgress >= TimeAmount(limit) else {
            return
        }
        remove(subscriber, .writeTimeout)
        subscriber.connection.abort()
    }

    /// Ends a stream in order: tells why, then the final chunk.
    func end(_ subscriber: Subscriber, _ reason: EndReason) {
        var frame = ControlFrame.end(reason, id: subscriber.state?.id.description)
        if subscriber.isChunked { frame = ChunkFraming.chunk(frame) + ChunkFraming.end }
        remove(subscriber, StreamMetrics.Closed(reason))
        fanOut.metrics.bytesSent += UInt64(frame.utf8.count)
        // No further request is answered on a connection whose server goes away.
        subscriber.connection.endStream(with: frame, staysOpen: reason != .drain && reason != .age)
    }

    /// Ends every stream, each as soon as its connection takes the bytes, and those that are still being opened as well.
    func endAll(_ reason: EndReason) {
        ending = reason
        disband()
        for subscriber in stragglers {
            subscriber.ending = reason
        }
        for subscriber in stragglers {
            pump(subscriber)
        }
    }
}
