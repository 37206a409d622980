// SPDX-License-Identifier: Apache-2.0

import Foundation
import StreamProbe
import Testing

/// What is made of observations; nothing is asked.
@Suite struct ProbeReportTests {
    private static let heartbeat = ": heartbeat\n\n"

    @Test func `a quiet stream with a heartbeat is fine`() throws {
        let report = try ProbeReport.of(Exchange([(12, Exchange.greeting), (15_012, Self.heartbeat)], watched: 15_013))
        #expect(
            report.lines == [
                "ok status: 200 text/event-stream",
                "note proxy: no proxy names itself in the head; HAProxy never does",
                "ok protocol: HTTP/2: a browser has as many streams as it likes on one connection",
                "ok compression: none, though 'gzip, deflate, br, zstd' were offered",
                "ok first frame: head after 10 ms, first frame after 12 ms",
                "note frames: no events came in 15 s; only the first frame and heartbeats were judged",
                "ok heartbeat: after 15 s of silence",
            ]
        )
        #expect(report.verdict == .ok)
    }

    @Test func `events that come one by one are told from those that were there`() throws {
        let pieces = [(12, Exchange.greeting + Exchange.event("4")), (13, Exchange.event("5"))]
        let live = (1...3).map { (1000 * $0, Exchange.event("\(5 + $0)")) }
        let report = try ProbeReport.of(Exchange(pieces + live))
        #expect(report.says(.ok, "frames", "3 events in 20 s, one by one"))
        #expect(report.says(.warning, "heartbeat", "none in 17 s of silence"))
    }

    @Test func `a transaction's rows come together and are nobody's fault`() throws {
        let live = [
            (1000, Exchange.event("4")), (3500, Exchange.event("5") + Exchange.event("6")), (3900, Exchange.event("7")),
        ]
        let report = try ProbeReport.of(Exchange([(12, Exchange.greeting)] + live, watched: 4000))
        #expect(report.says(.ok, "frames", "4 events in 4 s, 3 times, some together"))
        #expect(report.verdict == .ok)
    }

    @Test func `nothing but lumps after silences is a warning`() throws {
        let live = (1...3).map { (3000 * $0, Exchange.event("\($0)") + Exchange.event("\($0)1")) }
        let report = try ProbeReport.of(Exchange([(12, Exchange.greeting)] + live, watched: 9100))
        #expect(
            report.says(
                .warning,
                "frames",
                "6 events came in 3 lumps with silences of 3 s",
                remedy: "proxy_buffering off"
            )
        )
        #expect(report.verdict == .warning)
    }

    @Test(arguments: [
        [(15_012, Exchange.greeting + heartbeat)],
        [(12, Exchange.greeting), (9000, Exchange.event("4") + heartbeat)],
        [(12, Exchange.greeting), (9000, Exchange.event("4") + "id: 9\n\n" + heartbeat)],
        [(12, Exchange.greeting), (30_012, heartbeat + heartbeat)],
    ])
    func `a heartbeat together with what came before it was held back`(_ pieces: [(Int, String)]) throws {
        let report = try ProbeReport.of(Exchange(pieces))
        #expect(report.says(.fail, "frames", "in lumps", remedy: "flush_interval -1"), "\(report.lines)")
        #expect(report.verdict == .fail)
    }

    @Test func `a checkpoint may come with its heartbeat`() throws {
        let pieces = [(12, Exchange.greeting), (15_012, "id: 9\n\n" + Self.heartbeat)]
        let report = try ProbeReport.of(Exchange(pieces, watched: 15_100))
        #expect(report.verdict == .ok, "\(report.lines)")
        #expect(report.says(.ok, "heartbeat", "after 15 s"))
    }

    @Test func `a frame in pieces was in a buffer that got full`() throws {
        let report = try ProbeReport.of(Exchange([(12, Exchange.greeting + "id: 4\nda"), (3000, "ta: {}\n\n")]))
        #expect(report.says(.fail, "frames", "pieces, 3 s apart", remedy: "proxy_buffering off"), "\(report.lines)")
    }

    @Test func `a large event that takes long, without a silence in its middle, is fine`() throws {
        let middle = (1...9).map { (12 + $0 * 400, "xxxx") }
        let pieces = [(12, Exchange.greeting), (300, "id: 4\ndata: ")] + middle + [(4000, "\n\n")]
        let report = try ProbeReport.of(Exchange(pieces))
        #expect(report.says(.ok, "frames", "1 event"), "\(report.lines)")
    }

    @Test func `what a server says doesn't steer the terminal`() throws {
        let body = "{\"error\":{\"message\":\"\u{1b}[31mred\r\n  ok  \u{9b}2J\"}}"
        let text = try ProbeReport.of(Exchange([(12, body)], fields: [], status: 404)).text
        #expect(text.contains("[31mred"))
        #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\n" })
        #expect(!text.contains("\n  ok  "))
    }

    @Test func `a head without frames is held back`() throws {
        #expect(try ProbeReport.of(Exchange([])).says(.fail, "first frame", "nothing came within 20 s"))
        #expect(try ProbeReport.of(Exchange([(2000, Exchange.greeting)])).says(.warning, "first frame", "2 s"))
    }

    @Test(arguments: [
        (Exchange.End.cut, "the stream was cut after 7 s of silence"),
        (.complete, "the stream was ended without rowtail.end after 7 s of silence"),
    ])
    func `a quiet stream that ends was cut`(_ end: Exchange.End, _ words: String) throws {
        let report = try ProbeReport.of(Exchange([(12, Exchange.greeting)], end: end, watched: 7012))
        #expect(report.says(.fail, "end", words, remedy: "proxy_read_timeout"), "\(report.lines)")
        #expect(report.says(.fail, "end", words, remedy: "rowtail: a heartbeat_interval below 7 s"))
        #expect(report.on("heartbeat") == nil)
    }

    @Test func `an end in order is no fault`() throws {
        let pieces = [(12, Exchange.greeting), (14, "event: rowtail.end\ndata: {\"reason\":\"limit\"}\n\n")]
        let report = try ProbeReport.of(Exchange(pieces, end: .complete, watched: 15))
        #expect(report.says(.note, "end", #"in order: {"reason":"limit"}"#))
        #expect(report.verdict == .ok)
    }

    @Test func `remedies are those of the proxy that was seen`() throws {
        let pieces = [(15_012, Exchange.greeting + Self.heartbeat)]
        let nginx = try ProbeReport.of(Exchange(pieces, fields: Exchange.fields + [("server", "nginx/1.22.1")]))
        #expect(
            nginx.on("frames")?.remedies == [
                "nginx: 'proxy_buffering off;', and no 'proxy_ignore_headers X-Accel-Buffering'"
            ]
        )
        let both = try ProbeReport.of(
            Exchange(pieces, fields: Exchange.fields + [("server", "cloudflare"), ("via", "1.1 Caddy")])
        )
        #expect(
            both.findings.first { $0.topic == "proxy" }?.message
                == "Caddy, by 'Via: 1.1 Caddy'; Cloudflare, by 'Server: cloudflare'"
        )
        #expect(both.on("frames")?.remedies.count == 2)
        #expect(try ProbeReport.of(Exchange(pieces)).on("frames")?.remedies.count == 3)
    }

    @Test func `old HTTP, caches and lengths are told`() throws {
        let quiet = [(12, Exchange.greeting), (15_012, Self.heartbeat)]
        let old = try ProbeReport.of(Exchange(quiet, version: "HTTP/1.0"))
        #expect(old.says(.warning, "protocol", "HTTP/1.0", remedy: "proxy_http_version 1.1"))
        let six = try ProbeReport.of(Exchange(quiet, version: "HTTP/1.1"))
        #expect(six.says(.warning, "protocol", "six streams", remedy: "alpn h2"))
        let asked = try ProbeReport.of(Exchange(quiet, version: "HTTP/1.1")) { $0.isHTTP1Only = true }
        #expect(asked.verdict == .ok)
        let plain = try ProbeReport.of(Exchange(quiet, version: "HTTP/1.1"), "http://example.org/feeds/orders")
        #expect(plain.verdict == .ok)
        let kept = try ProbeReport.of(
            Exchange(quiet, fields: [("content-type", "text/event-stream"), ("content-length", "9")])
        )
        #expect(kept.says(.fail, "head", "Content-Length: 9"))
        #expect(kept.says(.warning, "head", "Cache-Control", remedy: "expires"))
    }

    @Test(arguments: [
        (200, "text/event-stream is missing", "'nothing' is no text/event-stream", "prefix"),
        (204, "", "stay away", "retired"),
        (302, "", "elsewhere", "where it leads to"),
        (
            401, #"{"error":{"code":"unauthorized","message":"a token is needed"}}"#, "it says: a token is needed",
            "--token"
        ),
        (403, "", "not for this feed", "tokens_file"),
        (404, "", "no such feed", "prefix"),
        (429, "", "from one address", "limits.streams_per_address: 0"),
        (502, "", "can't reach rowtail", "proxy_pass"),
        (503, "No server is available to handle this request", "too many streams", "HAProxy: the line 'server'"),
        (500, "", "500", "logs"),
    ])
    func `what is no stream is told with its remedy`(
        _ status: Int,
        _ body: String,
        _ words: String,
        _ remedy: String
    ) throws {
        let report = try ProbeReport.of(Exchange([(12, body)], fields: [], status: status, end: .complete))
        let level: ProbeFinding.Level = status == 204 ? .warning : .fail
        #expect(report.says(level, "status", words, remedy: remedy), "\(report.findings)")
    }

    @Test func `the report is text that people read, and JSON that machines do`() throws {
        let stream = Exchange(
            [(12, Exchange.greeting)],
            fields: Exchange.fields + [("server", "nginx")],
            end: .cut,
            watched: 60_012
        )
        let report = try ProbeReport.of(stream, "https://example.org/feeds/orders?access_token=secret&since=-5")
        #expect(report.text.hasPrefix("https://example.org/feeds/orders?access_token=…&since=-5\n\n  ok "))
        #expect(report.text.contains("- nginx: 'proxy_read_timeout 1m;'"))
        #expect(report.text.hasSuffix("\n\n1 failure\n"))
        #expect(report.text.split(separator: "\n").allSatisfy { $0.count <= 100 })
        struct Answer: Decodable, Equatable {
            var url: String
            var verdict: String
            var status: Int
            var httpVersion: String
            var proxies: [String]
            var headMs: Int
            var firstFrameMs: Int
            var watchedMs: Int
            var liveEvents: Int
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let answer = try decoder.decode(Answer.self, from: Data(report.json.utf8))
        let expected = Answer(
            url: "https://example.org/feeds/orders?access_token=…&since=-5",
            verdict: "fail",
            status: 200,
            httpVersion: "HTTP/2",
            proxies: ["nginx"],
            headMs: 10,
            firstFrameMs: 12,
            watchedMs: 60_012,
            liveEvents: 0
        )
        #expect(answer == expected)
        #expect(try !report.json.contains("secret"))
    }
}
