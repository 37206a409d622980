// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailConfig
import Testing

@Suite struct TokensFileTests {
    private static let feeds = ["orders", "users"]
    private static let ada = "ada-0123456789abcdef"
    private static let bob = "bob-0123456789abcdef"

    private static func parse(_ text: String) throws -> TokensFile {
        try TokensFile(Array(text.utf8), path: "tokens", feeds: feeds)
    }

    /// The feeds of each token, `*` for all.
    private static func grants(_ file: TokensFile) -> [String] {
        file.entries.map { "\($0.token)=\($0.feeds.map { $0.sorted().joined(separator: ",") } ?? "*")" }
    }

    @Test(arguments: [
        ("\(ada)\n\(bob) orders users\n", ["\(ada)=*", "\(bob)=orders,users"]),
        ("# head\n\n  \n\(ada) # all\n\t\(bob)\torders\t# J\u{FC}rgen\u{7}\n#\(bob)", ["\(ada)=*", "\(bob)=orders"]),
        ("\u{FEFF}\(ada)\r\n\(bob) orders\r\n\r\n", ["\(ada)=*", "\(bob)=orders"]),
        ("\(ada) users\n\(bob)\n\(ada) orders users", ["\(ada)=orders,users", "\(bob)=*"]),
        ("\(ada) users\n\(ada)\n\(ada) orders", ["\(ada)=*"]),
        ("\(ada)#~!,=+/ orders", ["\(ada)#~!,=+/=orders"]),
        ("\(ada)", ["\(ada)=*"]),
    ])
    func `a line is a token and its feeds`(text: String, grants: [String]) throws {
        let file = try Self.parse(text)
        #expect(Self.grants(file) == grants)
        #expect(file.warnings.isEmpty)
    }

    @Test func `every line that is wrong is reported, and no token is shown`() {
        let message =
            "the line has characters other than visible ASCII and spaces; write TOKEN [FEED...], comments after a '#'"
        let text =
            "\(Self.ada) \u{1}\n\(Self.ada)\nJ\u{FC}rgen-0123456789\r\n\(Self.ada)\r\(Self.bob)\n\u{A0}\n\(Self.bob)\u{7F}"
        let error = #expect(throws: ConfigError.self) { try Self.parse(text) }
        #expect(error?.description == [1, 3, 4, 5, 6].map { "tokens:\($0): \(message)" }.joined(separator: "\n"))
    }

    @Test func `unknown feeds are a warning, and a word that may be a token is not shown`() throws {
        let file = try Self.parse("\(Self.ada) orders order\n\n\(Self.ada) users \(Self.bob)\n")
        #expect(Self.grants(file) == ["\(Self.ada)=\(Self.bob),order,orders,users"])
        #expect(
            file.warnings == [
                "tokens:1: 'order' is no feed; use orders, users",
                "tokens:3: word 3 of the line is no feed; use orders, users",
            ]
        )
    }

    @Test func `a short token is a warning`() throws {
        let file = try Self.parse("0123456789abcde\n0123456789abcdef")
        #expect(
            file.warnings
                == ["tokens:1: a token so short can be guessed; use one such as 'openssl rand -hex 32' gives"]
        )
    }

    @Test(arguments: ["", "\n", "# TOKEN\r\n"])
    func `without tokens nobody may read, which is a warning`(text: String) throws {
        let file = try Self.parse(text)
        #expect(file.entries.isEmpty)
        #expect(
            file.warnings == ["tokens: there are no tokens, so nobody may read; add lines of TOKEN [FEED...]"]
        )
    }

    @Test func `no dump shows a token`() throws {
        let file = try Self.parse("\(Self.ada) orders\n\(Self.bob)")
        var dumped = ""
        dump(file, to: &dumped)
        for text in ["\(file)", String(reflecting: file), dumped] {
            #expect(!text.contains(Self.ada) && !text.contains(Self.bob), "\(text)")
        }
        #expect("\(file.entries)" == "[a token of orders, a token of all feeds]")
    }

    // MARK: - Files

    private static func config(_ tokensFile: String?) throws -> RowtailConfig {
        let auth = tokensFile.map { "auth: {tokens_file: '\($0)'}\n" } ?? ""
        return try RowtailConfig.parse(
            "database: /data/app.db\nfeeds: {orders: }\n\(auth)",
            file: "/etc/rowtail/rowtail.yaml",
            environment: [:]
        )
    }

    private static func message(_ path: String) throws -> String? {
        let config = try config(path)
        return #expect(throws: ConfigError.self) { try config.withTokens() }?.description
    }

    @Test func `without the key everybody may read`() throws {
        #expect(try Self.config(nil).withTokens() == Self.config(nil))
    }

    @Test func `a file is read again each time, and one that others may read is a warning`() throws {
        try LoadTests.withDirectory { directory in
            let path = "\(directory)/tokens"
            let config = try Self.config(path)
            func write(_ text: String, mode: Int) throws {
                try Data(text.utf8).write(to: URL(filePath: path))
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            }
            try write("\(Self.ada)\n", mode: 0o640)
            let first = try #require(try config.withTokens().auth.tokens)
            #expect(Self.grants(first) == ["\(Self.ada)=*"])
            #expect(first.warnings.isEmpty)
            try write("\(Self.bob) order\n", mode: 0o644)
            let second = try #require(try config.withTokens().auth.tokens)
            #expect(Self.grants(second) == ["\(Self.bob)=order"])
            #expect(
                second.warnings == [
                    "\(path):1: 'order' is no feed; use orders",
                    "\(path): every user of this machine may read the tokens; run 'chmod o= \(path)'",
                ]
            )
        }
    }

    @Test func `a file that can't be read is reported with its remedy`() throws {
        try LoadTests.withDirectory { directory in
            let missing = "\(directory)/missing"
            #expect(try Self.message(missing) == "\(missing): no such file; create it or correct auth.tokens_file")
            #expect(
                try Self.message(directory)
                    == "\(directory): not a regular file; name a file in auth.tokens_file"
            )
            let pipe = "\(directory)/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            #expect(try Self.message(pipe) == "\(pipe): not a regular file; name a file in auth.tokens_file")
            let below = "\(missing)/tokens"
            #expect(try Self.message(below)?.hasPrefix("\(below): no such file") == true)
            let large = "\(directory)/large"
            try Data(repeating: UInt8(ascii: "a"), count: (1 << 20) + 1).write(to: URL(filePath: large))
            #expect(try Self.message(large) == "\(large): larger than 1MiB; remove tokens that nobody uses")
            try Data(repeating: UInt8(ascii: "a"), count: 1 << 20).write(to: URL(filePath: large))
            #expect(try Self.config(large).withTokens().auth.tokens?.entries.count == 1)
        }
    }
}
