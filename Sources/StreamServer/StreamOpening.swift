// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes
import NIOCore
import RowtailCore

/// Opens a stream: checks limits, waits until the start is known, and says what the client is told first.
struct StreamOpening {
    /// What a request for a stream comes to.
    enum Outcome: Sendable {
        /// No stream.
        case answer(ShortAnswer)
        /// A stream, once its connection is ready.
        case stream(Ticket)
    }

    /// An admitted stream that is not on a connection yet.
    final class Ticket: Sendable {
        let firstFrame: String
        private let undecided: Subscriber.Undecided?
        private let state: SubscriberState?
        private let endsAt: NIODeadline?
        private let token: AccessToken?
        private let onRelease: @Sendable () -> Void

        init(
            firstFrame: String,
            undecided: Subscriber.Undecided?,
            state: SubscriberState?,
            endsAt: NIODeadline?,
            token: AccessToken?,
            onRelease: @escaping @Sendable () -> Void
        ) {
            self.firstFrame = firstFrame
            self.undecided = undecided
            self.state = state
            self.endsAt = endsAt
            self.token = token
            self.onRelease = onRelease
        }

        /// Gives the place back of a stream that didn't come to be.
        func release() {
            onRelease()
        }

        /// Makes the subscriber, which gives the place back when it is closed.
        func makeSubscriber(on connection: any StreamTransport, isChunked: Bool) -> Subscriber {
            let subscriber = Subscriber(
                connection: connection,
                isChunked: isChunked,
                endsAt: endsAt,
                now: .now(),
                onClose: onRelease
            )
            subscriber.state = state
            subscriber.undecided = undecided
            subscriber.token = token
            return subscriber
        }
    }

    let feed: Feed
    let group: FeedGroup
    let fanOut: FanOut
    /// The client's address; `nil` on a unix socket.
    let address: String?
    /// What the client presented; `nil` where everybody may read.
    let token: AccessToken?

    /// Opens a stream.
    func open(_ query: StreamQuery) -> EventLoopFuture<Outcome> {
        let eventLoop = group.eventLoop
        guard !feed.options.isRetired else {
            return eventLoop.makeSucceededFuture(.answer(.empty(.noContent)))
        }
        switch fanOut.router.limits.admit(address) {
        case .admitted: break
        case .tooMany: return limited("as many streams are open as are allowed", status: .serviceUnavailable)
        case .tooManyOfAddress:
            return limited("this address has as many streams open as it may", status: .tooManyRequests)
        }
        let (limits, address) = (fanOut.router.limits, address)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return feed.firstPoll(on: eventLoop).flatMap {
            bound.value.resolve(query)
        }.map { outcome in
            if case .answer = outcome { limits.release(address) }
            return outcome
        }.flatMapErrorThrowing { error in
            limits.release(address)
            throw error
        }
    }

    private func limited(_ message: String, status: HTTPResponse.Status) -> EventLoopFuture<Outcome> {
        fanOut.metrics.streams[.limited, default: 0] += 1
        // At random, so that those turned away don't come back together.
        let seconds = Int.random(in: 2...8)
        let error = RequestError(
            .tooManyStreams,
            "\(message); try again later",
            status: status,
            fields: [.retryAfter: String(seconds)]
        )
        return group.eventLoop.makeFailedFuture(error)
    }

    private func resolve(_ query: StreamQuery) -> EventLoopFuture<Outcome> {
        let policy = query.onReset ?? feed.options.onReset
        // The loop's own view decides, as news of the head may still be on its way here.
        guard group.view.knowsHead else {
            // The table could not be read yet: the stream opens, and starts when it can.
            return group.eventLoop.makeSucceededFuture(.stream(ticket(query, policy, nil)))
        }
        let bound = NIOLoopBound(self, eventLoop: group.eventLoop)
        return StreamStart(feed: feed, group: group).resolve(query, policy).flatMapThrowing { start in
            guard let start else { return .stream(bound.value.ticket(query, policy, nil)) }
            return try bound.value.outcome(query, policy, start)
        }
    }

    private func outcome(
        _ query: StreamQuery,
        _ policy: ResetPolicy,
        _ start: StreamStart.Resolution
    ) throws -> Outcome {
        if let reset = start.reset {
            guard policy != .fail else {
                fanOut.metrics.streams[.refused, default: 0] += 1
                throw RequestError(
                    .gone,
                    "the stream can't go on after '\(reset.requested)' (\(reset.reason.rawValue)); start anew without it"
                )
            }
            group.countReset(reset.reason)
        } else if start.hasNothingNew {
            fanOut.metrics.streams[.nothingNew, default: 0] += 1
            return .answer(.empty(.noContent))
        }
        if start.isResume {
            fanOut.metrics.resumes[start.reset.map { .init($0.reason) } ?? .exact, default: 0] += 1
        }
        return .stream(ticket(query, policy, start))
    }

    private func ticket(_ query: StreamQuery, _ policy: ResetPolicy, _ start: StreamStart.Resolution?) -> Ticket {
        let options = fanOut.options
        // At random, so that clients cut off together don't come back together.
        let retry = Int(options.retry / .milliseconds(1) * Double.random(in: 1...1.5))
        let frame =
            if let reset = start?.reset {
                ControlFrame.first(feed: feed.name, retry: retry, reset: reset)
            } else {
                ControlFrame.first(feed: feed.name, retry: retry, start: start?.state.id)
            }
        let endsAt = options.maxConnectionAge.map {
            NIODeadline.now() + TimeAmount($0 * Double.random(in: 0.9...1))
        }
        let (limits, address) = (fanOut.router.limits, address)
        return Ticket(
            firstFrame: frame,
            undecided: start == nil ? Subscriber.Undecided(query: query, policy: policy) : nil,
            state: start?.state,
            endsAt: endsAt,
            token: token,
            onRelease: { limits.release(address) }
        )
    }
}
