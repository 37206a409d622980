// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// The built program as a daemon of its own, with a configuration that the test wrote.
package final class DaemonProcess: Sendable {
    /// The process, its log and its end.
    package let program: RunningProgram

    /// The port of its first TCP listener; 0 when it has none.
    package let port: Int

    private init(_ program: RunningProgram, port: Int) {
        self.program = program
        self.port = port
    }

    /// The built program, which stands beside the program that runs the tests.
    package static let executable: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("rowtail").path
    }()

    /// Runs the program with some arguments, under another such as `prlimit` where one is given.
    ///
    /// Its environment is that of the test without what concerns a daemon, and with what is given.
    package static func run(
        _ arguments: [String],
        under wrapper: [String] = [],
        environment: [String: String] = [:]
    ) throws -> RunningProgram {
        var variables: [String: String?] = [:]
        for name in ProcessInfo.processInfo.environment.keys {
            let concerns = [
                "ROWTAIL_", "STATE_DIRECTORY", "NOTIFY_", "LISTEN_", "WATCHDOG_", "CREDENTIALS_", "JOURNAL_",
            ]
            if concerns.contains(where: name.hasPrefix) { variables[name] = .some(nil) }
        }
        for (name, value) in environment { variables[name] = value }
        let command = wrapper + [executable] + arguments
        return try RunningProgram(command[0], Array(command.dropFirst()), environment: variables)
    }

    /// Writes a configuration file, or another that belongs to it, and returns its path.
    @discardableResult
    package static func write(
        _ text: String,
        as name: String = "rowtail.yaml",
        in directory: TemporaryDirectory
    ) throws -> String {
        let path = directory.file(name)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Starts `rowtail serve` with a configuration file and waits until it listens.
    package static func start(
        config: String,
        arguments: [String] = [],
        under wrapper: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> DaemonProcess {
        let program = try run(["serve", "--config", config] + arguments, under: wrapper, environment: environment)
        let line = try await program.errorLine("listening")
        let port = line.split(whereSeparator: { $0 == " " || $0 == "\"" }).lazy.compactMap { word -> Int? in
            guard let colon = word.lastIndex(of: ":"), !word.contains("unix:"), !word.contains("T") else { return nil }
            return Int(word[word.index(after: colon)...])
        }.first
        return DaemonProcess(program, port: port ?? 0)
    }

    /// A port that nobody uses, below those that the kernel gives to connections, so that it stays free while a daemon
    /// is down.
    package static func freePort() throws -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: 15_000..<32_000)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if result == 0 { return port }
        }
        throw NotInTime(description: "no free port")
    }

    /// Its lines on standard error.
    package var log: [String] { program.state.value.errors }

    /// Waits for a line of the log that contains a text.
    @discardableResult
    package func logged(_ text: String, within limit: Duration = .seconds(30)) async throws -> String {
        try await program.errorLine(text, within: limit)
    }

    /// Sends SIGTERM and waits for the end.
    @discardableResult
    package func terminate(within limit: Duration = .seconds(30)) async throws -> RunningProgram.End {
        program.signal(SIGTERM)
        return try await program.end(within: limit)
    }

    /// Sends SIGKILL and waits for the end.
    package func kill() async throws {
        program.signal(SIGKILL)
        try await program.end()
    }

    /// Asks for something that is answered at once.
    package func get(_ path: String) async throws -> (status: Int, body: String) {
        let client = try await StreamClient.connect(port: port)
        try await client.request("GET", path, fields: ["Connection: close"])
        let (head, body) = try await client.answer()
        await client.close()
        return (head.status, body)
    }

    /// What `/feeds` says of a feed.
    package func feed(_ name: String = "orders") async throws -> FeedAnswer {
        struct Answer: Decodable {
            var feeds: [FeedAnswer]
        }
        let (_, body) = try await get("/feeds")
        let answer = try JSONDecoder().decode(Answer.self, from: Data(body.utf8))
        guard let feed = answer.feeds.first(where: { $0.name == name }) else {
            throw NotInTime(description: "no feed '\(name)' in \(body)")
        }
        return feed
    }

    /// One feed in the answer of `/feeds`.
    package struct FeedAnswer: Decodable, Sendable {
        /// Its name.
        package var name: String
        /// The newest event id.
        package var head: String
        /// `live`, `waiting` or `broken`.
        package var state: String
        /// How many streams there are.
        package var subscribers: Int
        /// The generation of new ids.
        package var generation: Int
        /// What went wrong last.
        package var lastError: String?

        private enum CodingKeys: String, CodingKey {
            case name, head, state, subscribers, generation
            case lastError = "last_error"
        }
    }

    /// Waits until there are so many streams and nothing more is sent on them: because there is nothing, or because the
    /// clients take nothing.
    package func becomesIdle(streams: Int, _ feed: String = "orders") async throws {
        var (sent, looks) = (-1.0, 0)
        try await eventually("\(streams) streams on which nothing is sent", every: .milliseconds(50)) { () -> Bool? in
            guard try await self.feed(feed).subscribers == streams else { return nil }
            let now = try await metric("rowtail_bytes_sent_total")
            looks = now == sent ? looks + 1 : 0
            sent = now
            return looks >= 10 ? true : nil
        }
    }

    /// The value of a metric, all label sets added up.
    package func metric(_ name: String) async throws -> Double {
        let (_, body) = try await get("/metrics")
        return body.split(separator: "\n").filter { $0.hasPrefix("\(name){") || $0.hasPrefix("\(name) ") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }
}
