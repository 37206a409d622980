// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RowtailCore
import StreamProbe
import StreamServer
import TestSupport
import Testing

/// The probe against real servers: rowtail's, and some that misbehave.
@Suite(.timeLimit(.minutes(1)))
struct ProbeTests {
    private static func probe(
        _ port: Int,
        _ path: String = "/feeds/orders",
        scheme: String = "http",
        duration: Duration = .seconds(20),
        change: (inout ProbeOptions) -> Void = { _ in }
    ) async throws -> ProbeReport {
        var options = ProbeOptions(try ProbeTarget("\(scheme)://localhost:\(port)\(path)"))
        options.duration = duration
        change(&options)
        return ProbeReport(await Probe(options).run())
    }

    private static func probeScripted(
        scheme: String = "http",
        duration: Duration = .seconds(20),
        _ script: @escaping @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step]
    ) async throws -> ProbeReport {
        let server = try await ScriptedServer.start(script)
        let report = try await probe(server.localAddress?.port ?? 0, scheme: scheme, duration: duration)
        try await server.close().get()
        return report
    }

    /// Long enough that a machine that stands still doesn't bring a heartbeat together with what was sent before it.
    private static let options = ServerOptions.with { $0.heartbeatInterval = .seconds(1) }

    // MARK: - rowtail

    @Test(arguments: [0, 1, 3])
    func `rowtail itself is fine, however many rows there are`(_ rows: Int64) async throws {
        let table = HandFedTable(rows: rows)
        let report = try await withServer(feeds: [table.feed], options: Self.options) { _, port in
            try await Self.probe(port)
        }
        #expect(report.verdict == .ok, "\(report.lines)")
        #expect(report.on("heartbeat")?.level == .ok)
        let resume = ["Last-Event-ID arrives", "earliest was followed by 1", "", "2 was followed by 3"][Int(rows)]
        #expect(report.says(.ok, "resume", resume), "\(report.lines)")
    }

    @Test func `several feeds on one stream are fine, whichever goes on first`() async throws {
        let (orders, users) = (HandFedTable("orders", rows: 7), HandFedTable("users", rows: 2))
        let report = try await withTLSServer(feeds: [orders.feed, users.feed], options: Self.options) { _, port, _ in
            try await Self.probe(port, "/feeds/orders,users", scheme: "https") { $0.verifiesCertificate = false }
        }
        #expect(report.verdict == .ok, "\(report.lines)")
    }

    @Test func `where the URL says where to begin, coming back begins elsewhere`() async throws {
        let table = HandFedTable(rows: 5)
        let report = try await withServer(feeds: [table.feed], options: Self.options) { _, port in
            try await Self.probe(port, "/feeds/orders?since=earliest&limit=2")
        }
        #expect(report.says(.note, "end", "limit"), "\(report.lines)")
        #expect(report.says(.ok, "resume", "4 was followed by 5"), "\(report.lines)")
    }

    @Test(arguments: [false, true])
    func `HTTP/2 is spoken where it is offered`(_ isHTTP1Only: Bool) async throws {
        let table = HandFedTable(rows: 3)
        let report = try await withTLSServer(feeds: [table.feed], options: Self.options) { _, port, _ in
            try await Self.probe(port, scheme: "https") {
                $0.verifiesCertificate = false
                $0.isHTTP1Only = isHTTP1Only
            }
        }
        #expect(report.verdict == .ok, "\(report.lines)")
        #expect(report.says(.ok, "protocol", isHTTP1Only ? "HTTP/1.1, as was asked" : "HTTP/2"), "\(report.lines)")
        #expect(report.says(.ok, "resume", "2 was followed by 3"), "\(report.lines)")
    }

    @Test func `a certificate that nobody signed is told`() async throws {
        let table = HandFedTable(rows: 3)
        let report = try await withTLSServer(feeds: [table.feed]) { _, port, _ in
            try await Self.probe(port, scheme: "https")
        }
        #expect(
            report.says(.fail, "connection", "the certificate of localhost", remedy: "--insecure"),
            "\(report.lines)"
        )
    }

    @Test func `tokens are sent and never shown`() async throws {
        let token = "secret-0123456789abcdef"
        let table = HandFedTable(rows: 3)
        var options = Self.options
        options.access = AccessList([AccessToken(token)])
        try await withServer(feeds: [table.feed], options: options) { _, port in
            let refused = try await Self.probe(port)
            #expect(refused.says(.fail, "status", "401", remedy: "--token"), "\(refused.lines)")
            let report = try await Self.probe(port) { $0.token = token }
            #expect(report.verdict == .ok, "\(report.lines)")
            let json = try report.json
            #expect(!report.text.contains("secret") && !json.contains("secret"))
        }
    }

    @Test func `a unix socket takes the host's place`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let table = HandFedTable(rows: 3)
        var options = Self.options
        options.endpoints = [.unix(path: path)]
        let report = try await withServer(feeds: [table.feed], options: options) { _, _ in
            try await Self.probe(1) { $0.unixSocket = path }
        }
        #expect(report.verdict == .ok, "\(report.lines)")
    }

    // MARK: - Others

    @Test func `nobody there, and nobody who answers`() async throws {
        let nobody = try await Self.probe(try DaemonProcess.freePort())
        #expect(nobody.says(.fail, "connection", "nothing listens there", remedy: "start"), "\(nobody.lines)")
        let mute = try await Self.probeScripted(duration: .milliseconds(300)) { _ in [] }
        #expect(mute.says(.fail, "answer", "nor to a request with an end", remedy: "/healthz"), "\(mute.lines)")
        let shut = try await Self.probeScripted { _ in [.close] }
        #expect(shut.says(.fail, "answer", "the connection ended"), "\(shut.lines)")
        let plain = try await Self.probeScripted(scheme: "https", duration: .milliseconds(300)) { _ in [] }
        #expect(plain.says(.fail, "connection", "TLS was not agreed on"), "\(plain.lines)")
    }

    @Test(arguments: [
        ("200 OK", ["Content-Type: text/html"], "<html>", "'text/html' is no text/event-stream"),
        ("302 Found", ["Location: https://example.org/login"], "", "elsewhere to https://example.org/login"),
        (
            "401 Unauthorized", [], #"{"error":{"code":"unauthorized","message":"which token?"}}"#,
            "it says: which token?"
        ),
        ("404 Not Found", [], "", "no such feed"),
        ("503 Service Unavailable", ["Server: Caddy"], "", "503"),
    ])
    func `what is no stream is told at once`(
        _ status: String,
        _ fields: [String],
        _ body: String,
        _ words: String
    ) async throws {
        let report = try await Self.probeScripted { _ in ScriptedServer.answer(status, fields, body: body) }
        #expect(report.says(.fail, "status", words), "\(report.lines)")
        #expect(report.findings.count <= 2)
    }

    @Test func `a proxy that keeps frames is found out by what came together`() async throws {
        let all = Exchange.greeting + Exchange.event("4") + ": heartbeat\n\n"
        let report = try await Self.probeScripted { _ in
            [ScriptedServer.head(), .pause(.milliseconds(100)), .send(all)]
        }
        #expect(report.says(.fail, "frames", "in lumps", remedy: "proxy_buffering off"), "\(report.lines)")
    }

    @Test(arguments: [true, false])
    func `a proxy that keeps everything until the end is found out`(_ isEmpty: Bool) async throws {
        let report = try await Self.probeScripted(duration: .milliseconds(500)) { request in
            guard request.target.hasSuffix("?until=head") else { return [] }
            let nothing = ScriptedServer.answer("204 No Content", ["Server: nginx"])
            return isEmpty ? nothing : [ScriptedServer.head(), .send(Exchange.greeting), .close]
        }
        #expect(report.says(.fail, "answer", "whole answers only", remedy: "proxy_buffering off"), "\(report.lines)")
        #expect(report.says(.note, "proxy", "nginx"), "\(report.lines)")
        #expect(report.on("answer")?.remedies.count == 1)
    }

    @Test func `a proxy that keeps the first frame is found out`() async throws {
        let report = try await Self.probeScripted(duration: .milliseconds(500)) { _ in [ScriptedServer.head()] }
        #expect(report.says(.fail, "first frame", "nothing came", remedy: "proxy_buffering off"), "\(report.lines)")
    }

    /// A first frame, and a heartbeat a little later.
    private static let quiet: [ScriptedServer.Step] = [
        ScriptedServer.head(), .send(Exchange.greeting), .pause(.milliseconds(500)), .send(": heartbeat\n\n"),
    ]

    @Test(arguments: [(40, ProbeFinding.Level.warning, "'gzip' though"), (10, .fail, "holds frames back")])
    func `a compressed stream is asked for again`(
        _ bytes: Int,
        _ level: ProbeFinding.Level,
        _ words: String
    ) async throws {
        let report = try await Self.probeScripted(duration: .seconds(2)) { request in
            guard request.fields["accept-encoding"]?.contains("gzip") == true else { return Self.quiet }
            return [ScriptedServer.head("Content-Encoding: gzip"), .send(String(repeating: "z", count: bytes))]
        }
        #expect(report.says(level, "compression", words, remedy: "gzip off"), "\(report.lines)")
        #expect(report.on("heartbeat")?.level == .ok, "\(report.lines)")
    }

    @Test func `a stream that is always compressed can't be judged`() async throws {
        let report = try await Self.probeScripted { _ in
            [ScriptedServer.head("Content-Encoding: br"), .send(String(repeating: "z", count: 40))]
        }
        #expect(report.says(.fail, "compression", "'br' for a client that said it can't read that"), "\(report.lines)")
        #expect(report.on("frames") == nil)
    }

    @Test(arguments: [false, true])
    func `a proxy that loses Last-Event-ID is found out`(_ loses: Bool) async throws {
        let report = try await Self.probeScripted { request in
            guard request.target.contains("?") else { return Self.quiet }
            let id = loses ? nil : request.fields["last-event-id"]
            let start = id ?? (request.target.contains("since") ? "1" : "3")
            let events = (id == nil ? Exchange.event("2") : "") + Exchange.event("3")
            return [ScriptedServer.head(), .send("retry: 1\n: rowtail feed orders\nid: \(start)\n\n" + events)]
        }
        let words = loses ? "2 was sent, and the stream began at 3" : "2 was followed by 3"
        #expect(report.says(loses ? .fail : .ok, "resume", words), "\(report.lines)")
    }

    @Test func `a proxy that cuts quiet streams is found out`() async throws {
        let report = try await Self.probeScripted { _ in
            let first = "7\r\nid: 1\n\n\r\n"
            return [
                ScriptedServer.head("Transfer-Encoding: chunked"), .send(first), .pause(.milliseconds(1200)), .close,
            ]
        }
        #expect(report.says(.fail, "end", "the stream was cut after", remedy: "proxy_read_timeout"), "\(report.lines)")
        #expect(report.says(.warning, "first frame", "it isn't rowtail's"), "\(report.lines)")
    }
}
