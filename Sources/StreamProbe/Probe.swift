// SPDX-License-Identifier: Apache-2.0

/// Asks for a stream as clients do, and notes what they would see.
package struct Probe: Sendable {
    /// What browsers can read, so that a proxy that compresses does so.
    private static let encodings = "gzip, deflate, br, zstd"

    /// How long nothing may come before there is nothing more to come at once.
    private static let quiet = Duration.seconds(3)

    private let options: ProbeOptions
    private let interruption: Interruption

    /// A probe of what the options name, which watches until it is interrupted at most.
    package init(_ options: ProbeOptions, interruption: Interruption = Interruption()) {
        self.options = options
        self.interruption = interruption
    }

    /// Watches the stream, then comes back with an id; never fails, as a failure is something to report.
    package func run() async -> ProbeObservations {
        var found = ProbeObservations(target: options.target)
        found.isHTTP1Only = options.isHTTP1Only
        do {
            let connection = try ProbeConnection(options)
            found.stream = try await watch(connection, encodings: Self.encodings)
            if found.stream.head?.isStream == true, found.stream.head?.encoding != nil {
                found.compressed = found.stream
                found.stream = try await watch(connection, encodings: "identity")
            }
            if found.isHeldBack {
                found.finite = try await ask(connection, ["until=head"], events: .max)
            }
            if found.stream.frames.first?.isGreeting == true {
                found.resume = try await resume(connection, found.stream)
            }
        } catch {
            found.failure = ConnectionFailure.error(error, options)
        }
        return found
    }

    /// The fields of a request, as a browser's EventSource sends them.
    private func fields(_ encodings: String = "identity", lastEventID: String? = nil) -> [(String, String)] {
        var fields = [
            ("Accept", "text/event-stream"),
            ("Accept-Encoding", encodings),
            ("Cache-Control", "no-cache"),
            ("User-Agent", options.agent),
        ]
        if let token = options.token { fields.append(("Authorization", "Bearer \(token)")) }
        if let lastEventID { fields.append(("Last-Event-ID", lastEventID)) }
        return fields
    }

    // MARK: - Watching

    private func watch(_ connection: ProbeConnection, encodings: String) async throws -> Exchange {
        try await connection.exchange(
            options.target,
            fields: fields(encodings),
            within: options.duration
        ) { exchange, elapsed in
            interruption.isRequested || Self.hasSeenEnough(exchange, elapsed)
        }
    }

    /// Whether watching on would show nothing new: a heartbeat came, or live events for a while, or it is no stream.
    static func hasSeenEnough(_ exchange: Exchange, _ elapsed: Duration) -> Bool {
        guard let head = exchange.head else { return false }
        if head.isStream, head.encoding != nil { return exchange.bodyBytes >= Compression.leastOfFrame }
        guard head.isStream else {
            return exchange.body.utf8.count >= Exchange.keptOfBody || elapsed - exchange.lastByteAt > .seconds(1)
        }
        if exchange.frames.last?.isHeartbeat == true { return true }
        guard elapsed > .seconds(5), exchange.frames.count > 20 else { return false }
        let live = Pace(exchange.frames).live
        return live.count >= 20 && elapsed - live[0].ended >= .seconds(5)
    }

    // MARK: - Coming back

    private func resume(_ connection: ProbeConnection, _ stream: Exchange) async throws -> ResumeObservation {
        var found = try await resumeOnce(connection, stream)
        // A row that was updated or deleted in between is nobody's fault.
        if found.expected != nil, !ResumeJudge.follows(found) {
            found = try await resumeOnce(connection, stream)
        }
        return found
    }

    private func resumeOnce(_ connection: ProbeConnection, _ stream: Exchange) async throws -> ResumeObservation {
        var newest = try await ask(connection, ["since=-2", "limit=2", "until=head"], events: 2)
        // `since` counts rows, and a feed may pass over some. A feed without any answers 204.
        if newest.head.map({ $0.isStream || $0.status == 204 }) == true, newest.events.count < 2 {
            newest = try await ask(connection, ["since=earliest", "limit=2", "until=head"], events: 2)
        }
        var found = ResumeObservation(newest: newest)
        let ids = newest.events.compactMap(\.id)
        found.id = ids.count > 1 ? ids[0] : newest.frames.first?.id ?? stream.frames.first?.id
        found.expected = ids.count > 1 ? ids[1] : ids.first
        guard let id = found.id else { return found }
        let events = found.expected == nil ? 0 : 1
        found.answer = try await ask(connection, ["limit=1"], lastEventID: id, events: events)
        if ids.count < 2 {
            found.malformed = try await ask(connection, ["limit=1"], lastEventID: "?", events: 0)
        }
        return found
    }

    /// Asks for some events that have to be there already.
    private func ask(
        _ connection: ProbeConnection,
        _ parameters: [String],
        lastEventID: String? = nil,
        events: Int
    ) async throws -> Exchange {
        try await connection.exchange(
            options.target.starting(parameters),
            fields: fields(lastEventID: lastEventID),
            within: options.patience
        ) { exchange, elapsed in
            guard let head = exchange.head else { return false }
            guard head.isStream, head.encoding == nil else { return elapsed - exchange.lastByteAt > .seconds(1) }
            guard let last = exchange.frames.last else { return false }
            return exchange.events.count >= events || last.isHeartbeat || elapsed - exchange.lastByteAt > Self.quiet
        }
    }
}
