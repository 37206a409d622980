// SPDX-License-Identifier: Apache-2.0

/// Judges what became of a client that came back with an id.
struct ResumeJudge {
    private let found: ResumeObservation
    private let proxies: [ProxyKind]

    init(_ found: ResumeObservation, _ proxies: [ProxyKind]) {
        self.found = found
        self.proxies = proxies
    }

    /// A line on it.
    var findings: [ProbeFinding] {
        [judge()]
    }

    private func fail(_ message: String, _ remedies: [String]) -> ProbeFinding {
        ProbeFinding(.fail, "resume", message, remedies)
    }

    private func judge() -> ProbeFinding {
        guard let head = found.newest.head, head.isStream || head.status == 204 else {
            return status(found.newest, "the request for two events")
        }
        guard let id = found.id else {
            return fail(
                "no id came with the first frame: rowtail doesn't know where the feed stands, as when it is broken",
                ["see /feeds for its state and last_error"]
            )
        }
        guard found.answer.head?.isStream == true else { return status(found.answer, "Last-Event-ID: \(id)") }
        guard let first = found.answer.frames.first else {
            return fail("with Last-Event-ID: \(id) no frame came", Trouble.buffered.remedies(proxies))
        }
        if first.isReset {
            return fail(
                "Last-Event-ID: \(id) was answered by rowtail.reset \(first.data ?? "")",
                ["behind one URL there may be several rowtails that don't serve the same file; see the guarantees"]
            )
        }
        guard Self.isSame(first.id, id) else {
            return lost("Last-Event-ID: \(id) was sent, and the stream began at \(first.id ?? "")")
        }
        if let status = found.malformed?.head?.status, status != 400 {
            return lost("a Last-Event-ID that is none was answered by \(status) in place of 400")
        }
        guard let expected = found.expected else {
            return ProbeFinding(.ok, "resume", "Last-Event-ID arrives; the feed has no events that could follow")
        }
        let next = found.answer.events.first?.id
        guard let next, Self.follows(found) else {
            let what = next.map { "'\($0)' came" } ?? "nothing came"
            return ProbeFinding(
                // In mode `updated` a row moves on when it is updated; its ids have a tilde.
                id.contains("~") ? .warning : .fail,
                "resume",
                "after \(id) \(what) in place of \(expected), twice",
                ["ask again: rows that are updated or deleted at this moment look like that"]
            )
        }
        return ProbeFinding(.ok, "resume", "Last-Event-ID: \(id) was followed by \(next)")
    }

    /// Whether the event that came is one that may follow.
    ///
    /// Each feed is in its own order and between feeds there is none: an event moves the place of one feed, and only where that is
    /// the feed of the event that was seen after the id before, it has to be that event again.
    static func follows(_ found: ResumeObservation) -> Bool {
        guard let next = found.answer.events.first, let expected = found.expected else { return false }
        guard let moved = feed(of: next, in: found.answer.frames) else { return false }
        let (came, awaited) = (parts(next.id), parts(expected))
        guard came.count == awaited.count else { return false }
        let seen = found.newest.events.last { $0.id == expected }
        let other = seen.flatMap { feed(of: $0, in: found.newest.frames) }
        return other.map { $0 != moved } == true || isSame(came[moved], awaited[moved])
    }

    /// The feed whose place an event moves, by its number among those of the stream.
    ///
    /// - Returns: `nil` where it moves none or several.
    private static func feed(of event: ReceivedFrame, in frames: [ReceivedFrame]) -> Int? {
        let before = frames.prefix { $0 != event }.last { $0.id != nil }
        let (from, to) = (parts(before?.id), parts(event.id))
        guard from.count == to.count else { return nil }
        let moved = to.indices.filter { from[$0] != to[$0] }
        return moved.count == 1 ? moved[0] : nil
    }

    /// The ids that one of several feeds is made of; an id of one feed is the only one.
    private static func parts(_ id: String?) -> [String] {
        (id ?? "").split(separator: ",").map(String.init)
    }

    /// Whether an id is the one that was waited for.
    ///
    /// Of a feed among several that had no place yet, as its table isn't there, the id that was sent says nothing (`users:`),
    /// and the one that comes back may say where it begins.
    static func isSame(_ id: String?, _ awaited: String) -> Bool {
        guard let id, id != awaited else { return id != nil }
        let parts = id.split(separator: ",")
        let others = awaited.split(separator: ",")
        return parts.count == others.count
            && zip(parts, others).allSatisfy { $0 == $1 || $1.hasSuffix(":") && $0.hasPrefix($1) }
    }

    private func lost(_ message: String) -> ProbeFinding {
        fail(
            "\(message): the field doesn't arrive, and clients miss what came while they were away",
            Trouble.lostID.remedies(proxies)
        )
    }

    private func status(_ exchange: Exchange, _ request: String) -> ProbeFinding {
        guard exchange.head != nil else {
            return fail(
                "\(request) got no answer within \(Words.time(exchange.endedAt))",
                Trouble.buffered.remedies(proxies)
            )
        }
        let finding = StatusJudge(exchange, proxies).finding
        return ProbeFinding(.fail, "resume", "\(request) got \(finding.message)", finding.remedies)
    }
}
