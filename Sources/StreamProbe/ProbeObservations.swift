// SPDX-License-Identifier: Apache-2.0

/// Everything that a probe saw, before it is judged.
package struct ProbeObservations: Sendable {
    /// What was asked.
    package var target: ProbeTarget

    /// Whether HTTP/2 was not offered.
    package var isHTTP1Only = false

    /// Why there is no stream to judge.
    package var failure: ProbeError?

    /// The stream.
    package var stream = Exchange()

    /// The stream as it came first, where it was compressed and had to be asked for again.
    package var compressed: Exchange?

    /// The answer to the same request with an end, `until=head`, where nothing came of the stream; `nil` when not asked.
    package var finite: Exchange?

    /// What became of a client that came back; `nil` when that was not tried.
    package var resume: ResumeObservation?

    /// Observations of what was asked, still without what was seen.
    package init(target: ProbeTarget) {
        self.target = target
    }

    /// Whether a connection was there and nothing of the stream.
    var isHeldBack: Bool {
        guard stream.end == .left, stream.connectedAt != nil, stream.frames.isEmpty else { return false }
        return stream.head.map { $0.isStream && $0.encoding == nil } ?? true
    }

    /// The answer that shows most of what stands between.
    var telling: Exchange? { [compressed, stream, finite].compactMap(\.self).first { $0.head != nil } }

    /// The proxies that can be seen in the answers.
    package var proxies: [ProxyKind] { ProxyKind.seen(in: telling).map(\.kind) }
}

/// What became of a client that came back with an id.
package struct ResumeObservation: Sendable {
    /// The request for the newest or the first events, which ids were taken from.
    package var newest: Exchange

    /// The id that was sent as `Last-Event-ID`; `nil` when there was none to send.
    package var id: String?

    /// The id of the event that has to follow; `nil` when the feed has none.
    package var expected: String?

    /// What came then.
    package var answer = Exchange()

    /// The answer to an id that is none, asked for where the others can't tell whether the field arrives.
    package var malformed: Exchange?

    /// An observation that begins with some events.
    package init(newest: Exchange) {
        self.newest = newest
    }
}
