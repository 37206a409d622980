// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// Where the daemon listens, and clients that come back all at once.
    @Suite struct ListenTests {
        @Test func `a unix socket and a port are served alike`() async throws {
            let database = try TemporaryDatabase()
            try database.insertOrders(3)
            let socket = database.directory.file("rowtail.sock")
            let config = try DaemonProcess.write(
                """
                listen: ['127.0.0.1:0', 'unix:\(socket)']
                database: \(database.path)
                feeds: {orders: {start: earliest}}
                """,
                in: database.directory
            )
            let daemon = try await DaemonProcess.start(config: config)
            try await daemon.logged("endpoint=unix:\(socket)")
            let curl = ["--silent", "--no-buffer", "--fail", "--noproxy", "*", "--max-time", "30"]
            let overUnix = try RunningProgram(
                "curl",
                curl + ["--unix-socket", socket, "http://localhost/feeds/orders?limit=5"]
            )
            let overTCP = try RunningProgram("curl", curl + ["http://127.0.0.1:\(daemon.port)/feeds/orders?limit=5"])
            for client in [overUnix, overTCP] {
                _ = try await client.state.until("three rows") { state in
                    state.output.contains(#"data: {"id":3,"customer":"ada","total":1.5}"#) ? true : nil
                }
            }
            try database.insertOrders(2)
            for client in [overUnix, overTCP] {
                #expect(try await client.end() == .exit(0), "\(client.state.value)")
                let ids = client.state.value.output.filter { $0.hasPrefix("id: ") }
                #expect(ids == ["id: earliest"] + (1...5).map { "id: \($0)" } + ["id: 5"])
                #expect(client.state.value.output.contains("event: rowtail.end"))
            }

            // A socket in use is refused, one left by a killed daemon is taken over, one of an ended daemon is gone.
            let other = try DaemonProcess.run(["serve", "--config", config, "--listen", "unix:\(socket)"])
            #expect(try await other.end() == .exit(1))
            #expect(other.state.value.errors.contains { $0.contains("'unix:\(socket)' is in use by another program") })
            try await daemon.kill()
            #expect(FileManager.default.fileExists(atPath: socket))
            let second = try await DaemonProcess.start(config: config)
            try await second.logged("endpoint=unix:\(socket)")
            let answer = try Shell.run("curl", curl + ["--unix-socket", socket, "http://localhost/healthz"])
            #expect(answer == "{\"status\":\"ok\"}\n")
            #expect(try await second.terminate() == .exit(0))
            #expect(!FileManager.default.fileExists(atPath: socket))
        }

        @Test(arguments: [SIGTERM, SIGKILL])
        func `S6: 5000 clients come back after a restart and get everything`(signal: Int32) async throws {
            try ProcessFigures.raiseOpenFiles()
            let database = try TemporaryDatabase()
            try database.insertOrders(10)
            let port = try DaemonProcess.freePort()
            let config = try DaemonProcess.write(
                """
                listen: 127.0.0.1:\(port)
                database: \(database.path)
                state_directory: \(database.directory.file("state"))
                feeds: {orders: {start: earliest}}
                """,
                in: database.directory
            )
            let first = try await DaemonProcess.start(config: config)
            let followers = (0..<5000).map { _ in StreamFollower(port: port, "/feeds/orders") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for follower in followers {
                    group.addTask { await follower.follow(to: 40, retry: .milliseconds(200)) }
                }
                for follower in followers {
                    _ = try await follower.state.until("row 10") { $0.rows.last == 10 ? true : nil }
                }
                first.program.signal(signal)
                try await first.program.end()
                try database.insertOrders(20)
                let second = try await DaemonProcess.start(config: config)
                let start = ContinuousClock.now
                for follower in followers {
                    _ = try await follower.state.until("row 30") { $0.rows.last == 30 ? true : nil }
                }
                print("5000 clients were back after \(ContinuousClock.now - start)")
                try database.insertOrders(10)
                try await group.waitForAll()
                // Each page is read once, not for each client: here all of it is in the tail.
                #expect(try await second.metric("rowtail_replay_pages_total") == 0)
                #expect(try await second.terminate() == .exit(0))
            }
            for follower in followers {
                let state = follower.state.value
                #expect(state.rows == Array(1...40) && state.faults.isEmpty, "\(state)")
            }
        }
    }
}
