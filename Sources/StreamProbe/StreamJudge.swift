// SPDX-License-Identifier: Apache-2.0

/// Judges a stream's head and frames.
struct StreamJudge {
    private let found: ProbeObservations
    private let stream: Exchange
    private let pace: Pace
    private let proxies: [ProxyKind]

    init(_ found: ProbeObservations) {
        self.found = found
        stream = found.stream
        pace = Pace(found.stream.frames)
        proxies = found.proxies
    }

    private func remedies(_ trouble: Trouble) -> [String] {
        trouble.remedies(proxies)
    }

    private func bad(
        _ level: ProbeFinding.Level,
        _ topic: String,
        _ message: String,
        _ trouble: Trouble,
        _ more: [String] = []
    ) -> ProbeFinding {
        ProbeFinding(level, topic, message, remedies(trouble) + more)
    }

    // MARK: - Head

    /// No head came.
    var noAnswer: ProbeFinding {
        let time = Words.time(stream.endedAt)
        guard stream.connectedAt != nil else {
            return ProbeFinding(
                .fail,
                "connection",
                "\(found.target.authority) takes connections, and TLS was not agreed on within \(time)",
                ["see that what listens there speaks TLS and isn't stuck"]
            )
        }
        if stream.end == .left {
            let what = "a connection, and no answer within \(time): not even a head"
            if let whole { return bad(.fail, "answer", "\(what)\(whole)", .buffered) }
            return bad(
                .fail,
                "answer",
                "\(what), nor to a request with an end",
                .buffered,
                ["see that rowtail itself answers: ask its own port, and /healthz there"]
            )
        }
        let reason = stream.failure.map { ": \($0)" } ?? ""
        return ProbeFinding(
            .fail,
            "answer",
            "the connection ended \(time) after the request, without an answer\(reason)",
            ["see the log of what listens there, and whether it speaks \(found.target.scheme) on that port"]
        )
    }

    /// What proves that only answers with an end are passed on; `nil` when nothing does.
    private var whole: String? {
        guard let finite = found.finite, let head = finite.head, let at = finite.headAt else { return nil }
        guard head.isStream || head.status == 204 else { return nil }
        return ". The same request with an end, 'until=head', was answered after \(Words.time(at)):"
            + " something passes on whole answers only"
    }

    /// What the head says.
    var head: [ProbeFinding] {
        guard let head = stream.head else { return [] }
        guard head.isStream else { return [StatusJudge(stream, proxies).finding] + proxy }
        return [StatusJudge(stream, proxies).finding] + proxy + [version(head), compression(head)] + fields(head)
    }

    /// Who stands between, as far as it shows.
    var proxy: [ProbeFinding] {
        let seen = ProxyKind.seen(in: found.telling)
        guard !seen.isEmpty else {
            guard let server = found.telling?.head?["server"] ?? found.telling?.head?["via"] else {
                return [ProbeFinding(.note, "proxy", "no proxy names itself in the head; HAProxy never does")]
            }
            return [ProbeFinding(.note, "proxy", "'\(server)' stands between, of which no settings are known here")]
        }
        let names = seen.map { "\($0.kind.rawValue), by '\($0.sign)'" }
        return [ProbeFinding(.note, "proxy", names.joined(separator: "; "))]
    }

    private func version(_ head: Exchange.Head) -> ProbeFinding {
        switch head.version {
        case "HTTP/2":
            return ProbeFinding(.ok, "protocol", "HTTP/2: a browser has as many streams as it likes on one connection")
        case "HTTP/1.1" where !found.target.isSecure:
            return ProbeFinding(.note, "protocol", "HTTP/1.1: a browser has six streams at a time; HTTP/2 takes https")
        case "HTTP/1.1" where found.isHTTP1Only:
            return ProbeFinding(.ok, "protocol", "HTTP/1.1, as was asked for")
        case "HTTP/1.1":
            return bad(
                .warning,
                "protocol",
                "HTTP/1.1, though HTTP/2 was offered: a browser has six streams at a time, over all of its tabs",
                .noHTTP2
            )
        default:
            return bad(.warning, "protocol", "\(head.version): an end can't be told from a cut", .oldHTTP)
        }
    }

    private func compression(_ head: Exchange.Head) -> ProbeFinding {
        if let encoding = head.encoding {
            return bad(
                .fail,
                "compression",
                "compressed by '\(encoding)' for a client that said it can't read that; nothing of it was judged",
                .compressed
            )
        }
        guard let packed = found.compressed, let encoding = packed.head?.encoding else {
            return ProbeFinding(.ok, "compression", "none, though 'gzip, deflate, br, zstd' were offered")
        }
        guard let first = Compression.firstFrame(packed) else {
            return bad(
                .fail,
                "compression",
                "'\(encoding)' holds frames back: \(packed.bodyBytes) bytes in \(Words.time(packed.endedAt)), too few"
                    + " for the first frame; the rest was judged without compression",
                .compressed
            )
        }
        return bad(
            .warning,
            "compression",
            "'\(encoding)' though the answer says 'no-transform'; the first bytes came after \(Words.time(first))."
                + " The rest was judged without compression",
            .compressed
        )
    }

    private func fields(_ head: Exchange.Head) -> [ProbeFinding] {
        var findings: [ProbeFinding] = []
        if let length = head["content-length"] {
            findings.append(
                bad(
                    .fail,
                    "head",
                    "'Content-Length: \(length)': something took the whole answer first and passed it on then",
                    .buffered
                )
            )
        }
        let control = head["cache-control"]?.lowercased() ?? ""
        if !control.contains("no-cache"), !control.contains("no-store") {
            findings.append(
                bad(
                    .warning,
                    "head",
                    "Cache-Control is '\(control)', not rowtail's 'no-cache, no-transform': a cache may keep a stream",
                    .rewritten
                )
            )
        }
        return findings
    }

    // MARK: - Frames

    /// What came after the head.
    var frames: [ProbeFinding] {
        // What a compressed body holds can't be seen.
        guard stream.head?.encoding == nil else { return [] }
        guard let first = stream.frames.first else { return [noFrame] + [end].compactMap(\.self) }
        return [self.first(first), delivery, heartbeat, end].compactMap(\.self)
    }

    private var noFrame: ProbeFinding {
        let when = Words.time(stream.endedAt - (stream.headAt ?? .zero))
        let what =
            stream.bodyBytes == 0 ? "nothing came" : "\(stream.bodyBytes) bytes came, and no frame that is whole,"
        return bad(
            .fail,
            "first frame",
            "\(what) within \(when) after the head: frames are held back\(whole ?? "")",
            .buffered
        )
    }

    private func first(_ frame: ReceivedFrame) -> ProbeFinding {
        let head = stream.headAt ?? .zero
        let times = "head after \(Words.time(head)), first frame after \(Words.time(frame.ended))"
        guard frame.isGreeting else {
            return ProbeFinding(
                .warning,
                "first frame",
                "\(times); it isn't rowtail's, so that resume was not tried",
                ["ask for a feed: /feeds/NAME; 'curl URL/feeds' lists them"]
            )
        }
        if frame.ended - head > .seconds(1) {
            return bad(.warning, "first frame", "\(times): rowtail sends both at once", .buffered)
        }
        return ProbeFinding(.ok, "first frame", times)
    }

    private var delivery: ProbeFinding {
        if let frame = pace.heldHeartbeat {
            return bad(
                .fail,
                "frames",
                "in lumps: after \(Words.time(frame.ended)) a heartbeat came together with what was sent before it,"
                    + " and it is sent only after a silence; something holds frames back",
                .buffered
            )
        }
        if let frame = pace.piecemeal {
            return bad(
                .fail,
                "frames",
                "in lumps: a frame came in pieces, \(Words.time(frame.longestGap)) apart, as from a buffer"
                    + " that is passed on when it is full",
                .buffered
            )
        }
        let events = Words.count(pace.live.count, "event")
        guard !pace.live.isEmpty else {
            let replayed = pace.replayed == 0 ? "" : " after the \(pace.replayed) that were there already"
            return ProbeFinding(
                .note,
                "frames",
                "no events came in \(Words.time(stream.endedAt))\(replayed);"
                    + " only the first frame and heartbeats were judged"
            )
        }
        if pace.lumps.count > 1, pace.lumps.count == pace.groups {
            let silence = pace.lumps.map(\.silence).min() ?? .zero
            return bad(
                .warning,
                "frames",
                "\(events) came in \(pace.groups) lumps with silences of \(Words.time(silence)) and more: rows of one"
                    + " transaction or poll do so as well; if they were written one by one, something holds them back",
                .buffered
            )
        }
        let ways = pace.groups == pace.live.count ? "one by one" : "\(pace.groups) times, some together"
        return ProbeFinding(.ok, "frames", "\(events) in \(Words.time(stream.endedAt)), \(ways)")
    }

    private var heartbeat: ProbeFinding? {
        if let interval = pace.heartbeat {
            if interval > .seconds(30) {
                return ProbeFinding(
                    .warning,
                    "heartbeat",
                    "after \(Words.time(interval)) of silence, which is longer than some proxies wait",
                    ["rowtail: heartbeat_interval: 15s"]
                )
            }
            return ProbeFinding(.ok, "heartbeat", "after \(Words.time(interval)) of silence")
        }
        guard pace.heldHeartbeat == nil, stream.end == .left else { return nil }
        let silence = max(pace.longestSilence, stream.endedAt - stream.lastByteAt)
        if silence > .seconds(16) {
            return bad(
                .warning,
                "heartbeat",
                "none in \(Words.time(silence)) of silence: held back, or heartbeat_interval is longer",
                .buffered,
                ["rowtail: if heartbeat_interval was raised, ask again with a longer --duration"]
            )
        }
        return ProbeFinding(
            .note,
            "heartbeat",
            "none was due in \(Words.time(silence)) of silence; rowtail's own interval is 15 s"
        )
    }

    private var end: ProbeFinding? {
        if let frame = stream.frames.last(where: \.isEnd) {
            return ProbeFinding(.note, "end", "rowtail ended the stream in order: \(frame.data ?? "")")
        }
        guard stream.end != .left else { return nil }
        let silence = stream.endedAt - stream.lastByteAt
        let after = Words.time(stream.endedAt)
        if silence < .seconds(1) {
            return ProbeFinding(
                .fail,
                "end",
                "the stream was cut after \(after), while bytes came\(stream.failure.map { ": \($0)" } ?? "")",
                remedies(.idleCut) + ["see the logs of the proxy and of rowtail"]
            )
        }
        let how = stream.end == .complete ? "ended without rowtail.end" : "cut"
        return bad(
            .fail,
            "end",
            "the stream was \(how) after \(Words.time(silence)) of silence, \(after) in all: something doesn't wait for"
                + " the heartbeat",
            .idleCut,
            ["rowtail: a heartbeat_interval below \(Words.time(silence))"]
        )
    }
}
