// SPDX-License-Identifier: Apache-2.0

import RowtailConfig
import Testing

@Suite struct ExposureTests {
    private static func config(_ listen: String, tokens: Bool = false, tls: Bool = false) throws -> RowtailConfig {
        var text = "database: /data/app.db\nfeeds: {orders: }\nlisten: \(listen)\n"
        if tokens { text += "auth: {tokens_file: tokens}\n" }
        if tls { text += "tls: {certificate: cert.pem, private_key: key.pem}\n" }
        return try RowtailConfig.parse(text, file: "rowtail.yaml", environment: [:])
    }

    private static let proxy = "or listen on 127.0.0.1 behind a proxy that sees to it"

    @Test func `what other machines reach without tokens and encryption is one warning`() throws {
        let listen = "['0.0.0.0:80', '[::]:80', 127.0.0.1:81, 192.0.2.1:0]"
        let start = "listen: other machines reach '0.0.0.0:80', '[::]:80', '192.0.2.1:0':"
        #expect(
            try Self.config(listen).warnings == [
                "\(start) anybody there may read every feed, and nothing is encrypted on the way; "
                    + "set auth.tokens_file, tls.certificate and tls.private_key, \(Self.proxy)"
            ]
        )
        #expect(
            try Self.config(listen, tls: true).warnings
                == ["\(start) anybody there may read every feed; set auth.tokens_file, \(Self.proxy)"]
        )
        #expect(
            try Self.config(listen, tokens: true).warnings == [
                "\(start) tokens and rows are not encrypted on the way; set tls.certificate and tls.private_key, \(Self.proxy)"
            ]
        )
        #expect(try Self.config(listen, tokens: true, tls: true).warnings.isEmpty)
    }

    @Test(arguments: [
        "127.0.0.1:80", "127.9.9.9:80", "'[::1]:80'", "localhost:80", "unix:/run/a.sock", "'[::ffff:127.0.0.1]:80'",
        "systemd", "no.such.host.invalid:80",
    ])
    func `what only this machine reaches is no warning`(listen: String) throws {
        #expect(try Self.config(listen).warnings.isEmpty)
    }

    @Test(arguments: [
        "'[::ffff:192.0.2.1]:80'", "'[2001:db8::1]:80'", "'[fe80::1%1]:80'", "10.0.0.1:80", "128.0.0.1:80",
    ])
    func `any other address is one`(listen: String) throws {
        #expect(try Self.config(listen).warnings.count == 1)
    }

    @Test func `sockets of systemd are judged by where they listen`() throws {
        let config = try Self.config("systemd")
        let local = ["127.0.0.1:80", "[::1]:80", "unix:/run/a.sock", "unix:@abstract"]
        #expect(config.warnings(activated: local).isEmpty)
        let warning = try #require(config.warnings(activated: local + ["[::]:80", "192.0.2.1:81"]).first)
        #expect(warning.hasPrefix("listen: other machines reach '[::]:80', '192.0.2.1:81': anybody there may read"))
        #expect(try Self.config("systemd", tokens: true, tls: true).warnings(activated: ["0.0.0.0:80"]).isEmpty)
    }
}
