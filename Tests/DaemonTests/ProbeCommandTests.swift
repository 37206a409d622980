// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// `rowtail probe` as a program: what it prints and how it ends.
    @Suite struct ProbeCommandTests {
        private let database: TemporaryDatabase

        init() throws {
            database = try TemporaryDatabase()
            try database.insertOrders(3)
        }

        private func daemon(_ more: String = "", heartbeat: String = "1s") async throws -> DaemonProcess {
            let text =
                "listen: 127.0.0.1:0\ndatabase: \(database.path)\nheartbeat_interval: \(heartbeat)\n"
                + "feeds: {orders: }\n\(more)"
            return try await DaemonProcess.start(config: DaemonProcess.write(text, in: database.directory))
        }

        @Test func `a feed without anything between is fine`() async throws {
            let daemon = try await daemon()
            let probe = try DaemonProcess.run(["probe", "http://127.0.0.1:\(daemon.port)/feeds/orders"])
            #expect(try await probe.end() == .exit(0), "\(probe.state.value)")
            let output = probe.state.value.output
            #expect(output.first == "http://127.0.0.1:\(daemon.port)/feeds/orders")
            #expect(output.contains { $0.hasSuffix("Last-Event-ID: 2 was followed by 3") }, "\(output)")
            #expect(output.last == "fine")
        }

        @Test func `a token comes from the environment and isn't shown`() async throws {
            let token = "secret-0123456789abcdef"
            let path = try DaemonProcess.write(token, as: "tokens", in: database.directory)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            let daemon = try await daemon("auth: {tokens_file: tokens}\n")
            let arguments = ["probe", "--json", "http://127.0.0.1:\(daemon.port)/feeds/orders"]
            let probe = try DaemonProcess.run(arguments, environment: ["ROWTAIL_TOKEN": token])
            #expect(try await probe.end() == .exit(0), "\(probe.state.value)")
            let text = probe.state.value.output.joined(separator: "\n")
            #expect(text.contains(#""verdict" : "ok""#) && !text.contains("secret"), "\(text)")
            let refused = try DaemonProcess.run(arguments)
            #expect(try await refused.end() == .exit(1))
        }

        @Test func `Ctrl-C ends the watching, and what was seen is told`() async throws {
            let daemon = try await daemon(heartbeat: "1m")
            try await daemon.logged("feed is live")
            let url = "http://127.0.0.1:\(daemon.port)/feeds/orders"
            let probe = try DaemonProcess.run(["probe", "--duration", "60m", url])
            try await eventually("a stream") { try await daemon.feed().subscribers == 1 ? true : nil }
            probe.signal(SIGINT)
            #expect(try await probe.end() == .exit(0), "\(probe.state.value)")
            let output = probe.state.value.output
            #expect(output.contains { $0.hasSuffix("Last-Event-ID: 2 was followed by 3") }, "\(output)")
        }

        @Test func `nobody there is a failure`() async throws {
            let probe = try DaemonProcess.run(["probe", "http://127.0.0.1:\(DaemonProcess.freePort())/feeds/orders"])
            #expect(try await probe.end() == .exit(1))
            #expect(probe.state.value.output.contains { $0.contains("nothing listens there") })
        }

        @Test(arguments: [
            ["ftp://example.org/"], ["http://localhost/", "--duration", "20"], ["http://localhost/", "--token", "a b"],
            [],
        ])
        func `what can't be meant is a mistake in usage`(_ arguments: [String]) async throws {
            let probe = try DaemonProcess.run(["probe"] + arguments)
            #expect(try await probe.end() == .exit(64), "\(probe.state.value)")
            #expect(probe.state.value.errors.contains { $0.contains("rowtail probe") }, "\(probe.state.value)")
        }
    }
}
