// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

// Another implementation of TLS and HTTP/2, which complains of every end that isn't in order.
@Suite(.timeLimit(.minutes(1)))
struct CurlTests {
    @Test(arguments: [("--http2", "2"), ("--http1.1", "1.1"), ("--http1.0", "1")], ["1.2", "1.3"])
    func `curl reads a stream to its end`(_ http: (option: String, version: String), _ tls: String) async throws {
        let table = HandFedTable(rows: 300, source: InMemoryFeedSource(padding: 1000))
        try await withTLSServer(feeds: [table.feed]) { _, port, _ in
            let program = try RunningProgram(
                "curl",
                ["-sSN", http.option, "--tlsv\(tls)", "--tls-max", tls, "--noproxy", "*"]
                    + ["--cacert", TestCertificate.shared.get().files.certificate, "-w", "version %{http_version}\n"]
                    + ["https://localhost:\(port)/feeds/orders?since=earliest&limit=300"]
            )
            #expect(try await program.end() == .exit(0))
            let lines = program.state.value.output
            #expect(lines.filter { $0.hasPrefix("data: {\"id\":") }.count == 300)
            #expect(lines.contains(#"data: {"reason":"limit"}"#))
            #expect(lines.last == "version \(http.version)")
            #expect(program.state.value.errors == [])
        }
    }

    @Test(arguments: ["1.0", "1.1"])
    func `an old version of TLS is refused`(_ tls: String) async throws {
        try await withTLSServer(feeds: [HandFedTable(rows: 3).feed]) { _, port, _ in
            let program = try RunningProgram(
                "curl",
                ["-sSN", "--tls-max", tls, "--ciphers", "DEFAULT@SECLEVEL=0", "--noproxy", "*", "-k"]
                    + ["https://localhost:\(port)/healthz"]
            )
            // A failed handshake.
            #expect(try await program.end() == .exit(35))
        }
    }
}
