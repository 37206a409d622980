// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// Clients that people use: all get the same rows, and survive the daemon's restarts.
    @Suite struct ClientTests {
        @Test(arguments: ["curl", "httpx-sse", "sseclient-py", "chromium", "chromium-fetch"])
        func `a client gets every row across restarts of the daemon`(name: String) async throws {
            let database = try TemporaryDatabase()
            try database.insertOrders(3)
            let token = name == "chromium-fetch" ? "0123456789abcdef" : nil
            if let token { try DaemonProcess.write("\(token) orders\n", as: "tokens", in: database.directory) }
            let auth = token == nil ? "" : "auth: {tokens_file: tokens}"
            let (port, pagePort) = (try DaemonProcess.freePort(), try DaemonProcess.freePort())
            let config = try DaemonProcess.write(
                """
                listen: 127.0.0.1:\(port)
                database: \(database.path)
                state_directory: \(database.directory.file("state"))
                poll_interval: 50ms
                retry: 100ms
                heartbeat_interval: 500ms
                cors: {allowed_origins: ['http://127.0.0.1:\(pagePort)']}
                feeds: {orders: {start: earliest}}
                \(auth)
                """,
                in: database.directory
            )
            let url = "http://127.0.0.1:\(port)/feeds/orders"
            let first = try await DaemonProcess.start(config: config)
            let client = try await Self.start(name, url, last: "12", pagePort, token)
            try await Self.expectRows(1...3, of: client)
            try database.insertOrders(2, customer: "grâce \"☕\" \\ \n")
            try await Self.expectRows(1...5, of: client)

            // Cut off without a word, and rows come while nobody serves.
            try await first.kill()
            try database.insertOrders(2)
            let second = try await DaemonProcess.start(config: config)
            try await Self.expectRows(1...7, of: client)
            try database.insertOrders(1)
            try await Self.expectRows(1...8, of: client)

            // Ended in order.
            #expect(try await second.terminate() == .exit(0))
            try database.insertOrders(2)
            let third = try await DaemonProcess.start(config: config)
            try await Self.expectRows(1...10, of: client)
            try database.insertOrders(2)
            #expect(try await client.end() == .exit(0), "\(client.state.value)")
            try await Self.expectRows(1...12, of: client)
            #expect(client.state.value.output.count == 12)
            if token != nil {
                let refusal = #"refused  401 unauthorized Bearer realm="rowtail", error="invalid_token""#
                #expect(client.state.value.errors.first == refusal)
            }
            #expect(!client.state.value.errors.contains { $0.hasPrefix("closed") || $0.hasPrefix("reset") })
            try await third.terminate()
        }

        private static func expectRows(_ ids: ClosedRange<Int>, of client: RunningProgram) async throws {
            let lines = try await client.state.until("\(ids.count) rows", within: .seconds(60)) { state in
                state.output.count >= ids.count ? state.output : state.isOver ? [] : nil
            }
            let expected = ids.map { id in
                let customer = id == 4 || id == 5 ? #"grâce \"☕\" \\ \n"# : "ada"
                return #"\#(id) {"id":\#(id),"customer":"\#(customer)","total":1.5}"#
            }
            #expect(lines == expected, "\(client.state.value)")
        }

        private static func start(
            _ name: String,
            _ url: String,
            last: String,
            _ pagePort: Int,
            _ token: String?
        ) async throws -> RunningProgram {
            switch name {
            case "curl":
                try RunningProgram("bash", [TestPrograms.path("follow_curl.sh"), url, last])
            case "httpx-sse":
                try RunningProgram(
                    try await TestPrograms.python(),
                    [TestPrograms.path("follow_httpx_sse.py"), url, last]
                )
            case "sseclient-py":
                try RunningProgram(
                    try await TestPrograms.python(),
                    [TestPrograms.path("follow_sseclient.py"), url, last]
                )
            default:
                try RunningProgram(
                    "python3",
                    [TestPrograms.path("follow_chromium.py"), url, last, "\(pagePort)"] + [token].compactMap(\.self)
                )
            }
        }
    }
}
