// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// Tokens, and what is said of a daemon that has none.
    @Suite struct AccessTests {
        private static let ada = "ada-0123456789abcdef"
        private static let bob = "bob-0123456789abcdef"
        private let database: TemporaryDatabase

        init() throws {
            database = try TemporaryDatabase()
            try database.insertOrders(3)
        }

        private func config(_ tokens: String?, _ more: String = "") throws -> String {
            if let tokens { try writeTokens(tokens) }
            let auth = tokens == nil ? "" : "auth: {tokens_file: tokens, allow_query_token: true}\n"
            let feeds = "feeds: {orders: {start: earliest}, copies: {table: orders, start: earliest}}\n"
            return try DaemonProcess.write(
                "listen: 127.0.0.1:0\ndatabase: \(database.path)\npoll_interval: 50ms\n\(feeds)\(auth)\(more)",
                in: database.directory
            )
        }

        private func writeTokens(_ text: String) throws {
            let path = try DaemonProcess.write(text, as: "tokens", in: database.directory)
            #expect(chmod(path, 0o600) == 0)
        }

        private static func curl(
            _ daemon: DaemonProcess,
            _ path: String,
            _ token: String? = nil
        ) throws -> RunningProgram {
            let options = [
                "--silent", "--no-buffer", "--noproxy", "*", "--max-time", "60", "--write-out",
                "%{stderr}%{http_code}\\n",
            ]
            let fields = token.map { ["--header", "Authorization: Bearer \($0)"] } ?? []
            return try RunningProgram("curl", options + fields + ["http://127.0.0.1:\(daemon.port)\(path)"])
        }

        private static func ask(_ daemon: DaemonProcess, _ path: String, _ token: String? = nil) async throws -> String
        {
            let client = try curl(daemon, path, token)
            try await client.end()
            return (client.state.value.errors + client.state.value.output).joined(separator: "\n")
        }

        private static func rows(_ count: Int, of client: RunningProgram) async throws {
            _ = try await client.state.until("\(count) rows") { state in
                state.output.count { $0.hasPrefix("data: {\"id\"") } >= count || state.isOver ? true : nil
            }
            #expect(client.state.value.output.count { $0.hasPrefix("data: {\"id\"") } == count, "\(client.state.value)")
        }

        @Test func `a token lets in, and is nowhere shown`() async throws {
            let config = try config("\(Self.ada)\n\(Self.bob) orders\n", "log: {level: trace}\n")
            let daemon = try await DaemonProcess.start(config: config)
            let stream = "/feeds/orders?limit=3"
            for answer in [
                try await Self.ask(daemon, stream, Self.ada),
                try await Self.ask(daemon, "\(stream)&access_token=\(Self.bob)"),
            ] {
                #expect(answer.hasPrefix("200\n") && answer.contains("\nid: 3\n"), "\(answer)")
            }
            var answers = [
                try await Self.ask(daemon, stream), try await Self.ask(daemon, stream, "\(Self.ada)x"),
                try await Self.ask(daemon, "/feeds/copies", Self.bob),
                try await Self.ask(daemon, "\(stream)&access_token=\(Self.ada)%"),
                try await Self.ask(daemon, "\(stream)&access_token=\(Self.ada)", Self.ada),
            ]
            #expect(answers.map { $0.prefix(3) } == ["401", "401", "403", "400", "400"], "\(answers)")
            answers.append(try await Self.ask(daemon, "/metrics"))
            #expect(try await Self.ask(daemon, "/feeds", Self.bob).contains(#"{"feeds":[{"name":"orders","#))
            #expect(!(try await Self.ask(daemon, "/feeds", Self.bob).contains("copies")))
            try await daemon.terminate()
            #expect(daemon.log.contains { $0.contains("listening") })
            for text in answers + daemon.log {
                #expect(!text.contains("0123456789abcdef"), "\(text)")
            }
        }

        @Test func `a reload takes the tokens up, or none of them`() async throws {
            let daemon = try await DaemonProcess.start(config: try config("\(Self.ada)\n\(Self.bob) orders\n"))
            let (ada, bob) = (
                try Self.curl(daemon, "/feeds/orders", Self.ada), try Self.curl(daemon, "/feeds/orders", Self.bob)
            )
            for client in [ada, bob] { try await Self.rows(3, of: client) }

            // What is wrong changes nothing.
            try writeTokens("\(Self.bob)\n\u{1}\(Self.ada)\n")
            daemon.program.signal(SIGHUP)
            let refusal = try await daemon.logged("configuration is refused")
            #expect(refusal.contains("/tokens:2: the line has characters other than visible ASCII"))
            try database.insertOrders(1)
            for client in [ada, bob] { try await Self.rows(4, of: client) }

            try writeTokens("\(Self.bob) orders\n")
            daemon.program.signal(SIGHUP)
            #expect(try await ada.end() == .exit(0))
            #expect(
                ada.state.value.output.suffix(3).contains(#"data: {"reason":"unauthorized"}"#),
                "\(ada.state.value)"
            )
            #expect(try await Self.ask(daemon, "/feeds", Self.ada).hasPrefix("401\n"))
            try database.insertOrders(1)
            try await Self.rows(5, of: bob)
            try await daemon.terminate()
            #expect(try await bob.end() == .exit(0))
            for text in daemon.log { #expect(!text.contains("0123456789abcdef"), "\(text)") }
        }

        @Test func `a reload takes the cookie up and gives it up again, and it is nowhere shown`() async throws {
            let config = try config("\(Self.ada)\n", "log: {level: trace}\n")
            let plain = try String(contentsOfFile: config, encoding: .utf8)
            let daemon = try await DaemonProcess.start(config: config)
            func reload(_ text: String, times: Int) async throws {
                try DaemonProcess.write(text, in: database.directory)
                daemon.program.signal(SIGHUP)
                _ = try await daemon.program.state.until("reload \(times)") { state in
                    state.errors.count { $0.contains("configuration is in force") } >= times || state.isOver
                        ? true : nil
                }
            }
            func client(_ path: String) throws -> RunningProgram {
                let options = ["--silent", "--no-buffer", "--noproxy", "*", "--max-time", "60"]
                let answer = ["--write-out", "%{stderr}%{http_code}\\n", "http://127.0.0.1:\(daemon.port)\(path)"]
                return try RunningProgram("curl", options + ["--cookie", "a=1; session=\(Self.ada)"] + answer)
            }
            func status() async throws -> String? {
                let asking = try client("/feeds/orders?limit=3")
                try await asking.end()
                return asking.state.value.errors.first
            }
            #expect(try await status() == "401")
            try await reload(plain.replacing("auth: {", with: "auth: {cookie: session, "), times: 1)
            #expect(try await status() == "200")
            let stream = try client("/feeds/orders")
            try await Self.rows(3, of: stream)
            // The token of the stream is still good.
            try await reload(plain, times: 2)
            #expect(try await status() == "401")
            try database.insertOrders(1)
            try await Self.rows(4, of: stream)
            try await daemon.terminate()
            #expect(try await stream.end() == .exit(0))
            for text in daemon.log { #expect(!text.contains("0123456789abcdef"), "\(text)") }
        }

        @Test func `tokens that are wrong or can't be read keep the daemon from starting`() async throws {
            let config = try config("\(Self.ada)\n\u{1}\n\(Self.bob) \u{2}\n")
            let tokens = database.directory.file("tokens")
            let line =
                "the line has characters other than visible ASCII and spaces; write TOKEN [FEED...], comments after a '#'"
            for command in ["serve", "check"] {
                let program = try DaemonProcess.run([command, "--config", config])
                #expect(try await program.end() == .exit(78))
                #expect(program.state.value.errors == [2, 3].map { "\(tokens):\($0): \(line)" })
            }
            try FileManager.default.removeItem(atPath: tokens)
            let program = try DaemonProcess.run(["serve", "--config", config])
            #expect(try await program.end() == .exit(78))
            #expect(program.state.value.errors == ["\(tokens): no such file; create it or correct auth.tokens_file"])
        }

        @Test func `what is odd about the tokens is said once, by check as well`() async throws {
            let config = try config("short lost\n")
            let tokens = database.directory.file("tokens")
            #expect(chmod(tokens, 0o604) == 0)
            let expected = [
                "\(tokens):1: 'lost' is no feed; use orders, copies",
                "\(tokens):1: a token so short can be guessed; use one such as 'openssl rand -hex 32' gives",
                "\(tokens): every user of this machine may read the tokens; run 'chmod o= \(tokens)'",
            ]
            let check = try DaemonProcess.run(["check", "--json", "--config", config])
            #expect(try await check.end() == .exit(0))
            let daemon = try await DaemonProcess.start(config: config)
            try await daemon.terminate()
            for text in expected {
                #expect(check.state.value.output.contains { $0.contains(text) }, "\(check.state.value)")
                #expect(daemon.log.count { $0.contains(text) } == 1, "\(daemon.log)")
            }
        }

        @Test func `a daemon that others reach without tokens and encryption says so once`() async throws {
            let config = try config(nil)
            let daemon = try await DaemonProcess.start(config: config, arguments: ["--listen", "0.0.0.0:0"])
            try await daemon.terminate()
            let warnings = daemon.log.filter {
                $0.contains(" warning ") && $0.contains("other machines reach '0.0.0.0:0'")
            }
            #expect(warnings.count == 1, "\(daemon.log)")
            let local = try await DaemonProcess.start(config: config)
            try await local.terminate()
            #expect(!local.log.contains { $0.contains("other machines") }, "\(local.log)")
        }
    }
}
