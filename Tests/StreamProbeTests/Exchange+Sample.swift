// SPDX-License-Identifier: Apache-2.0

import StreamProbe

extension Exchange {
    /// A stream's first frame, as rowtail sends it.
    static let greeting = "retry: 3000\n: rowtail feed orders\nid: 3\n\n"

    /// What rowtail answers with.
    static let fields: [(name: String, value: String)] = [
        ("content-type", "text/event-stream"), ("cache-control", "no-cache, no-transform"),
    ]

    /// A stream that brought some text at some times, in milliseconds, and was watched for a while.
    init(
        _ pieces: [(Int, String)],
        fields: [(name: String, value: String)] = Exchange.fields,
        version: String = "HTTP/2",
        status: Int = 200,
        end: End = .left,
        watched: Int = 20_000
    ) {
        self.init()
        connectedAt = .milliseconds(2)
        head = Head(version: version, status: status, fields: fields)
        headAt = .milliseconds(10)
        self.end = end
        endedAt = .milliseconds(watched)
        var parser = FrameParser()
        for (number, (at, text)) in pieces.enumerated() {
            reads.append(Read(at: .milliseconds(at), bytes: text.utf8.count))
            if status == 200 {
                frames += parser.take(text.utf8, at: .milliseconds(at), read: number)
            } else {
                body += text
            }
        }
    }

    /// An event's text.
    static func event(_ id: String) -> String { "id: \(id)\ndata: {}\n\n" }
}

extension ProbeReport {
    /// What is judged of a stream at `https://example.org/feeds/orders`.
    static func of(
        _ stream: Exchange,
        _ url: String = "https://example.org/feeds/orders",
        change: (inout ProbeObservations) -> Void = { _ in }
    ) throws -> ProbeReport {
        var found = ProbeObservations(target: try ProbeTarget(url))
        found.stream = stream
        change(&found)
        return ProbeReport(found)
    }

    /// A line for each finding: its level, topic and message.
    var lines: [String] { findings.map { "\($0.level.rawValue) \($0.topic): \($0.message)" } }

    /// The finding on a topic.
    func on(_ topic: String) -> ProbeFinding? { findings.first { $0.topic == topic } }

    /// Whether a finding of a level on a topic has some words in its message, and some in its remedies.
    func says(_ level: ProbeFinding.Level, _ topic: String, _ words: String, remedy: String = "") -> Bool {
        findings.contains {
            $0.level == level && $0.topic == topic && $0.message.contains(words)
                && (remedy.isEmpty || $0.remedies.contains { $0.contains(remedy) })
        }
    }
}
