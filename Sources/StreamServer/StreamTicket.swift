// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// An admitted stream that is not on a connection yet.
final class StreamTicket: Sendable {
    /// Where the events of one of its feeds begin.
    struct Beginning: Sendable {
        let request: StreamRequest
        let policy: ResetPolicy
        /// `nil` while nobody knows.
        let start: StreamStart.Resolution?
    }

    /// What the client is told first.
    let firstFrame: String
    private let beginnings: [Beginning]
    /// One for each beginning, on the connection's event loop.
    private let groups: NIOLoopBound<[FeedGroup]>
    /// What a stream of several feeds keeps its ids in.
    private let frames: CombinedFrames?
    private let endsAt: NIODeadline?
    private let token: AccessToken?
    private let onRelease: @Sendable () -> Void

    init(
        firstFrame: String,
        beginnings: [Beginning],
        groups: NIOLoopBound<[FeedGroup]>,
        frames: CombinedFrames?,
        endsAt: NIODeadline?,
        token: AccessToken?,
        onRelease: @escaping @Sendable () -> Void
    ) {
        self.firstFrame = firstFrame
        self.beginnings = beginnings
        self.groups = groups
        self.frames = frames
        self.endsAt = endsAt
        self.token = token
        self.onRelease = onRelease
    }

    /// Gives the place back of a stream that didn't come to be.
    func release() {
        onRelease()
    }

    /// Makes the stream, which gives the place back when it is closed.
    func makeStream(on transport: any StreamTransport, isChunked: Bool) -> ActiveStream {
        guard let frames else {
            let subscriber = makeSubscriber(beginnings[0], on: transport, isChunked: isChunked, onClose: onRelease)
            return .one(subscriber, groups.value[0])
        }
        let stream = CombinedStream(
            on: transport,
            isChunked: isChunked,
            frames: frames,
            limit: beginnings[0].request.sharedLimit,
            fanOut: groups.value[0].fanOut,
            onClose: onRelease
        )
        for (beginning, group) in zip(beginnings, groups.value) {
            let part = stream.makePart(ofFeed: beginning.request.feed.name)
            let subscriber = makeSubscriber(beginning, on: part, isChunked: false, onClose: {})
            stream.add(subscriber, of: group)
        }
        return .several(stream)
    }

    private func makeSubscriber(
        _ beginning: Beginning,
        on transport: any StreamTransport,
        isChunked: Bool,
        onClose: @escaping @Sendable () -> Void
    ) -> Subscriber {
        let subscriber = Subscriber(
            connection: transport,
            isChunked: isChunked,
            endsAt: endsAt,
            now: .now(),
            onClose: onClose
        )
        subscriber.token = token
        if let start = beginning.start {
            subscriber.state = start.state
        } else {
            subscriber.undecided = Subscriber.Undecided(query: beginning.request.query, policy: beginning.policy)
        }
        return subscriber
    }
}
