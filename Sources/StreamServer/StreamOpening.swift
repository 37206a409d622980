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
        case stream(StreamTicket)
    }

    /// Nothing is there now; a cache may keep a 204 for as long as it likes unless told not to (RFC 9110, section 15.3.5).
    private static let nothing = ShortAnswer.empty(.noContent, [.cacheControl: "no-cache"])

    /// What is asked of each feed, and its group; at least one.
    let requests: [(request: StreamRequest, group: FeedGroup)]
    let fanOut: FanOut
    /// The client's address; `nil` on a unix socket.
    let address: String?
    /// What the client presented; `nil` where everybody may read.
    let token: AccessToken?

    /// Those of feeds that are not retired.
    private var served: [(request: StreamRequest, group: FeedGroup)] {
        requests.filter { !$0.request.feed.options.isRetired }
    }

    /// Opens a stream.
    func open() -> EventLoopFuture<Outcome> {
        let eventLoop = fanOut.eventLoop
        guard !served.isEmpty else {
            return eventLoop.makeSucceededFuture(.answer(Self.nothing))
        }
        switch fanOut.router.limits.admit(address) {
        case .admitted: break
        case .tooMany: return limited("as many streams are open as are allowed", status: .serviceUnavailable)
        case .tooManyOfAddress:
            return limited("this address has as many streams open as it may", status: .tooManyRequests)
        }
        let (limits, address) = (fanOut.router.limits, address)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let beginnings = served.map { request, group in
            let group = NIOLoopBound(group, eventLoop: eventLoop)
            return request.feed.firstPoll(on: eventLoop).flatMap { Self.resolve(request, group.value) }
        }
        return EventLoopFuture.whenAllSucceed(beginnings, on: eventLoop).flatMapThrowing { beginnings in
            try bound.value.outcome(beginnings)
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
        return fanOut.eventLoop.makeFailedFuture(error)
    }

    private static func resolve(
        _ request: StreamRequest,
        _ group: FeedGroup
    ) -> EventLoopFuture<StreamTicket.Beginning> {
        let policy = request.query.onReset ?? request.feed.options.onReset
        // The loop's own view decides, as news of the head may still be on its way here.
        guard group.view.knowsHead else {
            // The table could not be read yet: the stream opens, and starts when it can.
            return group.eventLoop.makeSucceededFuture(.init(request: request, policy: policy, start: nil))
        }
        return StreamStart(feed: request.feed, group: group).resolve(request.query, policy).map { start in
            StreamTicket.Beginning(request: request, policy: policy, start: start)
        }
    }

    private func outcome(_ beginnings: [StreamTicket.Beginning]) throws -> Outcome {
        for beginning in beginnings {
            guard let reset = beginning.start?.reset, beginning.policy == .fail else { continue }
            throw RequestError(
                .gone,
                "the stream can't go on after '\(reset.requested)' (\(reset.reason.rawValue)); start anew without it"
            )
        }
        if beginnings.allSatisfy({ $0.start.map { $0.reset == nil && $0.hasNothingNew } ?? false }) {
            fanOut.metrics.streams[.nothingNew, default: 0] += 1
            return .answer(Self.nothing)
        }
        for (beginning, (_, group)) in zip(beginnings, served) {
            guard let start = beginning.start else { continue }
            if let reset = start.reset { group.countReset(reset.reason) }
            guard start.isResume else { continue }
            fanOut.metrics.resumes[start.reset.map { .init($0.reason) } ?? .exact, default: 0] += 1
        }
        return .stream(ticket(beginnings))
    }

    private func ticket(_ beginnings: [StreamTicket.Beginning]) -> StreamTicket {
        let options = fanOut.options
        let (frame, frames) = firstFrame(beginnings)
        let endsAt = options.maxConnectionAge.map {
            NIODeadline.now() + TimeAmount($0 * Double.random(in: 0.9...1))
        }
        let (limits, address) = (fanOut.router.limits, address)
        return StreamTicket(
            firstFrame: frame,
            beginnings: beginnings,
            groups: NIOLoopBound(served.map(\.group), eventLoop: fanOut.eventLoop),
            frames: frames,
            endsAt: endsAt,
            token: token,
            onRelease: { limits.release(address) }
        )
    }

    /// What the client is told first, and, on a stream of several feeds, the ids that it holds then.
    private func firstFrame(_ beginnings: [StreamTicket.Beginning]) -> (String, CombinedFrames?) {
        // At random, so that clients cut off together don't come back together.
        let retry = Int(fanOut.options.retry / .milliseconds(1) * Double.random(in: 1...1.5))
        guard requests.count > 1 else {
            let (name, start) = (beginnings[0].request.feed.name, beginnings[0].start)
            if let reset = start?.reset {
                return (ControlFrame.first(feed: name, retry: retry, reset: reset), nil)
            }
            return (ControlFrame.first(feed: name, retry: retry, start: start?.state.id), nil)
        }
        let names = requests.map(\.request.feed.name)
        let starts = Dictionary(uniqueKeysWithValues: beginnings.map { ($0.request.feed.name, $0.start) })
        let ids = requests.map { request, _ in
            // Until it was told of a break, the client holds what it came with.
            let start = starts[request.feed.name] ?? nil
            guard let start, start.reset == nil else { return request.query.lastEventID?.description ?? "" }
            return start.state.id.description
        }
        var frames = CombinedFrames(feeds: names, ids: ids)
        var resets = ""
        for (index, name) in names.enumerated() {
            guard let reset = (starts[name] ?? nil)?.reset else { continue }
            resets += frames.rewrite(ControlFrame.reset(feed: name, reset), ofFeed: index)
        }
        let first = ControlFrame.first(feeds: names, retry: retry)
        guard resets.isEmpty else { return (first + resets, frames) }
        return (first + (frames.id.map { "id: \($0)\n" } ?? "") + "\n", frames)
    }
}
