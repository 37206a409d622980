// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// How the program ends, and what it says then.
    @Suite struct ExitCodeTests {
        private let directory: TemporaryDirectory

        init() throws {
            directory = try TemporaryDirectory()
        }

        private func config(_ yaml: String) throws -> String {
            try DaemonProcess.write(yaml, in: directory)
        }

        @Test func `the version is told`() async throws {
            let program = try DaemonProcess.run(["--version"])
            #expect(try await program.end() == .exit(0))
            #expect(program.state.value.output.count == 1)
            #expect(program.state.value.output.first?.wholeMatch(of: /rowtail \d+\.\d+\.\d+/) != nil)
            #expect(program.state.value.errors.isEmpty)
        }

        @Test(arguments: [["--bogus"], ["serve", "--bogus"], ["bogus"], ["serve", "--listen"], ["serve", "extra"]])
        func `a wrong usage is told`(arguments: [String]) async throws {
            let program = try DaemonProcess.run(arguments)
            #expect(try await program.end() == .exit(64))
            #expect(program.state.value.errors.contains { $0.hasPrefix("Error: ") })
            #expect(program.state.value.output.isEmpty)
        }

        @Test func `every mistake in the configuration is told at once`() async throws {
            let path = try config(
                """
                listen: ":8080"
                poll_interval: 0s
                retry: 5
                feeds:
                  orders:
                    tabel: orders
                """
            )
            let program = try DaemonProcess.run(["serve", "--config", path])
            #expect(try await program.end() == .exit(78))
            let errors = program.state.value.errors
            #expect(errors.count >= 4)
            for (line, key) in [(1, "listen"), (2, "poll_interval"), (3, "retry"), (6, "feeds.orders.tabel")] {
                #expect(errors.contains { $0.hasPrefix("\(path):\(line): \(key): ") }, "\(errors)")
            }
            #expect(program.state.value.output.isEmpty)
        }

        @Test func `a configuration that isn't there is told`() async throws {
            let program = try DaemonProcess.run(["serve", "--config", directory.file("none.yaml")])
            #expect(try await program.end() == .exit(78))
            #expect(program.state.value.errors.count == 1)
            #expect(program.state.value.errors.first?.contains("none.yaml") == true)
        }

        @Test func `a port in use is told`() async throws {
            let database = try TemporaryDatabase()
            let path = try config("listen: 127.0.0.1:0\ndatabase: \(database.path)\nfeeds: {orders: {}}\n")
            let first = try await DaemonProcess.start(config: path)
            let second = try DaemonProcess.run(["serve", "--config", path, "--listen", "127.0.0.1:\(first.port)"])
            #expect(try await second.end() == .exit(1))
            let text = "'127.0.0.1:\(first.port)' is in use by another program; end it or listen elsewhere"
            #expect(second.state.value.errors.contains { $0.contains("critical") && $0.contains(text) })
            #expect(try await first.terminate() == .exit(0))
        }

        @Test func `a state directory in use is told`() async throws {
            let database = try TemporaryDatabase()
            let path = try config(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                state_directory: \(directory.file("state"))
                feeds: {orders: {}}
                """
            )
            let first = try await DaemonProcess.start(config: path)
            let second = try DaemonProcess.run(["serve", "--config", path])
            #expect(try await second.end() == .exit(1))
            #expect(
                second.state.value.errors.contains {
                    $0.contains("critical") && $0.contains("is in use by another rowtail; give each its own")
                }
            )
            // The lock goes with its holder, however that ends.
            try await first.kill()
            let third = try await DaemonProcess.start(config: path)
            #expect(try await third.terminate() == .exit(0))
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `streams end in order on a signal`(signal: Int32) async throws {
            let database = try TemporaryDatabase()
            try database.insertOrders(3)
            let path = try config(
                "listen: 127.0.0.1:0\ndatabase: \(database.path)\nfeeds: {orders: {start: earliest}}\n"
            )
            let daemon = try await DaemonProcess.start(config: path)
            let (client, head) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            #expect(head.status == 200)
            #expect(try await client.events(3).map(\.id) == ["1", "2", "3"])
            daemon.program.signal(signal)
            let end = try #require(try await client.event())
            #expect(end.id == "3" && end.event == "rowtail.end" && end.data == #"{"reason":"drain"}"#)
            #expect(try await client.event() == nil)
            #expect(await client.endedInOrder)
            #expect(try await daemon.program.end(within: .seconds(10)) == .exit(0))
            #expect(daemon.log.contains { $0.contains(" ended") })
        }

        @Test func `a stalled client does not hold the end up for longer than allowed`() async throws {
            let database = try TemporaryDatabase()
            try database.execute(Self.manyRows)
            let path = try config(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                drain_timeout: 1s
                feeds: {orders: {start: earliest}}
                """
            )
            let daemon = try await DaemonProcess.start(config: path)
            let stalled = try await StreamClient.connect(port: daemon.port, reads: false, receiveBuffer: 4096)
            try await stalled.request("GET", "/feeds/orders")
            let (healthy, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders?since=latest")
            _ = try await healthy.frame()
            try await daemon.becomesIdle(streams: 2)
            daemon.program.signal(SIGTERM)
            let start = ContinuousClock.now
            #expect(try await healthy.event()?.event == "rowtail.end")
            #expect(try await healthy.event() == nil)
            #expect(await healthy.endedInOrder)
            #expect(try await daemon.program.end() == .exit(0))
            let took = ContinuousClock.now - start
            // Much later than allowed would be a hang; the machine may be slow.
            #expect(took > .milliseconds(900) && took < .seconds(10), "\(took)")
            await stalled.close()
        }

        @Test func `a stream asked for during the drain is told where it stands, and ended`() async throws {
            let database = try TemporaryDatabase()
            try database.execute(Self.manyRows)
            let path = try config(
                """
                listen: 127.0.0.1:0
                database: \(database.path)
                drain_timeout: 20s
                feeds: {orders: {start: earliest}}
                """
            )
            let daemon = try await DaemonProcess.start(config: path)
            // Keeps the daemon from ending until it reads on.
            let stalled = try await StreamClient.connect(port: daemon.port, reads: false, receiveBuffer: 4096)
            try await stalled.request("GET", "/feeds/orders")
            let late = try await StreamClient.connect(port: daemon.port)
            for _ in 0..<2 {
                try await late.request("GET", "/healthz")
                #expect(try await late.answer().0.status == 200)
            }
            try await daemon.becomesIdle(streams: 1)
            daemon.program.signal(SIGTERM)
            try await eventually("the end of the listener") {
                guard let other = try? await StreamClient.connect(port: daemon.port) else { return true }
                await other.close()
                return nil
            }
            try await late.request("GET", "/feeds/orders", fields: ["Last-Event-ID: 7"])
            let head = try await late.head()
            #expect(head.status == 200, "\(head)")
            #expect(try await late.frame()?.id == "7")
            let end = try #require(try await late.event())
            #expect(end.id == "7" && end.event == "rowtail.end" && end.data == #"{"reason":"drain"}"#)
            #expect(try await late.event() == nil)
            #expect(await late.endedInOrder)
            await stalled.close()
            #expect(try await daemon.program.end() == .exit(0))
        }

        /// More than fits all buffers of a connection.
        private static let manyRows = """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
            INSERT INTO orders (customer, total) SELECT hex(randomblob(500)), 1 FROM n
            """

        @Test func `flags beat the environment, which beats the file`() async throws {
            let (fromFile, fromEnvironment, fromFlag) =
                (try TemporaryDatabase(), try TemporaryDatabase(), try TemporaryDatabase())
            try fromFile.insertOrders(1)
            try fromEnvironment.insertOrders(2)
            try fromFlag.insertOrders(3)
            let (taken, port) = (try DaemonProcess.freePort(), try DaemonProcess.freePort())
            let path = try config(
                "listen: 127.0.0.1:\(taken)\ndatabase: \(fromFile.path)\nlog: {level: critical}\nfeeds: {orders: {}}\n"
            )
            let environment = [
                "ROWTAIL_LISTEN": "127.0.0.1:\(port)", "ROWTAIL_DATABASE": fromEnvironment.path,
                "ROWTAIL_LOG_LEVEL": "debug",
            ]
            let first = try await DaemonProcess.start(config: path, environment: environment)
            #expect(first.port == port)
            try await first.logged("feed is live")
            #expect(try await first.feed().head == "2")
            try await first.terminate()
            let second = try await DaemonProcess.start(
                config: path,
                arguments: ["--listen", "127.0.0.1:0", "--database", fromFlag.path, "--log-level", "info"],
                environment: environment
            )
            #expect(second.port != port && second.port != taken)
            try await second.logged("feed is live")
            #expect(try await second.feed().head == "3")
            try await second.terminate()
        }
    }
}
