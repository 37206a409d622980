// SPDX-License-Identifier: Apache-2.0

import Foundation

extension ProbeReport {
    /// The report for machines: one object, times in milliseconds, `null` for what wasn't seen.
    ///
    /// - Throws: `EncodingError`, which no report causes.
    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(Answer(self)), as: UTF8.self) + "\n"
        }
    }

    private struct Answer: Encodable {
        var url: String
        var verdict: ProbeFinding.Level
        var status: Int?
        var httpVersion: String?
        var compression: String?
        var proxies: [String]
        var headMilliseconds: Int?
        var firstFrameMilliseconds: Int?
        var heartbeatMilliseconds: Int?
        var watchedMilliseconds: Int
        var liveEvents: Int
        var findings: [ProbeFinding]

        enum CodingKeys: String, CodingKey {
            case url, verdict, status, compression, proxies, findings
            case httpVersion = "http_version"
            case headMilliseconds = "head_ms"
            case firstFrameMilliseconds = "first_frame_ms"
            case heartbeatMilliseconds = "heartbeat_ms"
            case watchedMilliseconds = "watched_ms"
            case liveEvents = "live_events"
        }

        init(_ report: ProbeReport) {
            let found = report.observations
            let pace = Pace(found.stream.frames)
            func milliseconds(_ duration: Duration?) -> Int? {
                duration.map { Int(($0 / .milliseconds(1)).rounded()) }
            }
            url = found.target.description
            verdict = report.verdict
            status = found.stream.head?.status
            httpVersion = found.stream.head?.version
            compression = (found.compressed ?? found.stream).head?.encoding
            proxies = found.proxies.map(\.rawValue)
            headMilliseconds = milliseconds(found.stream.headAt)
            firstFrameMilliseconds = milliseconds(found.stream.frames.first?.ended)
            heartbeatMilliseconds = milliseconds(pace.heartbeat)
            watchedMilliseconds = milliseconds(found.stream.endedAt) ?? 0
            liveEvents = pace.live.count
            findings = report.findings
        }
    }
}
