// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// The daemon and the application as two users (hazard H38).
    ///
    /// Needs root, and a build that everyone may run.
    @Suite(
        .enabled("only root may act as two users, on a build that both may run") { try await TwoUsers.arePossible() }
    )
    struct OtherUserTests {
        private let directory: TemporaryDirectory
        private let folder: String
        private let database: String

        init() throws {
            directory = try TemporaryDirectory()
            folder = directory.file("data")
            database = "\(folder)/app.db"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            try #require(chown(folder, 12345, 12345) == 0 && chmod(directory.path, 0o755) == 0)
        }

        /// Has the application make a WAL database with a row and close it, and sets who may write beside it.
        private func makeDatabase(folderMode: mode_t, fileMode: mode_t = 0o644) throws {
            let sql =
                "PRAGMA journal_mode = wal; \(TemporaryDatabase.orders) INSERT INTO orders (customer) VALUES ('ada')"
            try Shell.run("setpriv", TwoUsers.application.dropFirst() + ["sqlite3", database, sql])
            try #require(chmod(database, fileMode) == 0 && chmod(folder, folderMode) == 0)
            #expect(try files() == ["app.db"])
        }

        private func files() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        }

        private func start() async throws -> DaemonProcess {
            let yaml =
                "listen: 127.0.0.1:0\ndatabase: \(database)\npoll_interval: 50ms\nfeeds: {orders: {start: earliest}}\n"
            return try await .start(config: try DaemonProcess.write(yaml, in: directory), under: TwoUsers.daemon)
        }

        private func openApplication(rows: Int) async throws -> RunningProgram {
            let arguments =
                TwoUsers.application.dropFirst() + ["bash", TestPrograms.path("hold_open.sh"), database, "\(rows)"]
            let application = try RunningProgram("setpriv", Array(arguments))
            try await application.errorLine("open")
            return application
        }

        private func expectRows(_ ids: ClosedRange<Int>, _ client: StreamClient) async throws {
            #expect(try await client.events(ids.count).map(\.id) == ids.map(String.init))
        }

        /// What `rowtail check` says, run by root for the daemon's user.
        private func check(exit code: Int32, under wrapper: [String] = []) async throws -> String {
            let config = try DaemonProcess.write("database: \(database)\nfeeds: {orders: {}}\n", in: directory)
            let user = wrapper.isEmpty ? ["--user", "65534"] : []
            let program = try DaemonProcess.run(["check", "--json", "--config", config] + user, under: wrapper)
            #expect(try await program.end() == .exit(code), "\(program.state.value)")
            return program.state.value.output.joined(separator: "\n")
        }

        @Test func `a check says of another user what the daemon finds when it runs as that user`() async throws {
            try makeDatabase(folderMode: 0o777)
            #expect(try await check(exit: 69).contains("is in WAL mode, belongs to user 12345 and is closed"))
            #expect(try files() == ["app.db"])

            // Open, it can be read; but not for ever.
            let application = try await openApplication(rows: 1)
            let warned = try await check(exit: 0)
            #expect(warned.contains("refused once the application closes it: "), "\(warned)")
            try #require(chmod(folder, 0o755) == 0)
            let atRest =
                "can't write to the directory: when the application has closed the database, it can't be opened"
            #expect(try await check(exit: 0).contains(atRest))
            try #require(chmod("\(database)-shm", 0o600) == 0)
            #expect(try await check(exit: 69).contains("app.db-shm' can't be read by user 65534: permission denied"))
            try #require(chmod("\(database)-shm", 0o644) == 0)
            application.signal(SIGTERM)
            try await application.end()
            #expect(try await check(exit: 69).contains("is at rest and this user can't open it"))

            try #require(chmod(folder, 0o2775) == 0 && chmod(database, 0o664) == 0)
            let member = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=12345"]
            #expect(try await check(exit: 0, under: member).contains(#""verdict" : "fine""#))
            try #require(chmod(database, 0o600) == 0)
            #expect(try await check(exit: 69).contains("can't be read by user 65534: permission denied"))
            try #require(chmod(folder, 0o700) == 0)
            #expect(try await check(exit: 69).contains("let this user search every directory on the way"))
        }

        @Test func `only root may ask for another user`() async throws {
            let arguments = ["check", "--config", directory.file("none.yaml"), "--user", "root"]
            let program = try DaemonProcess.run(arguments, under: TwoUsers.daemon)
            #expect(try await program.end() == .exit(64))
            #expect(
                program.state.value.errors.first == "Error: --user: only root may act as user 'root'; run it with sudo"
            )
        }

        @Test func `a database that the daemon would spoil for its owner is refused, with the remedy`() async throws {
            try makeDatabase(folderMode: 0o777)
            let daemon = try await start()
            try await daemon.logged("feed is broken")
            let feed = try await daemon.feed()
            #expect(feed.state == "broken")
            let message = feed.lastError ?? ""
            #expect(message.contains("is in WAL mode, belongs to user 12345 and is closed"), "\(message)")
            #expect(
                message.contains("run rowtail as user 12345, or give the directory the database's group"),
                "\(message)"
            )
            try await eventually("polls") { try await daemon.metric("rowtail_polls_total") > 5 ? true : nil }
            #expect(try files() == ["app.db"])

            // Open, the application's own files are there, and nothing can be spoiled.
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            let application = try await openApplication(rows: 2)
            try await expectRows(1...3, client)
            #expect(try files() == ["app.db", "app.db-shm", "app.db-wal"])
            for name in try files() {
                let owner = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")[.ownerAccountID]
                #expect(owner as? Int == 12345, "\(name)")
            }
            application.signal(SIGTERM)
            #expect(try await application.end() == .exit(0), "\(application.state.value)")
            try await expectRows(4...4, client)
            // And the application comes back to it.
            let again = try await openApplication(rows: 1)
            try await expectRows(5...5, client)
            again.signal(SIGTERM)
            #expect(try await again.end() == .exit(0), "\(again.state.value)")
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a database at rest where the daemon may not write is waited for until the application opens it`()
            async throws
        {
            try makeDatabase(folderMode: 0o755)
            let daemon = try await start()
            try await daemon.logged("feed waits")
            let feed = try await daemon.feed()
            #expect(feed.state == "waiting")
            #expect(feed.lastError?.contains("is at rest and this user can't open it") == true, "\(feed)")
            #expect(try await daemon.get("/readyz").status == 503)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            let application = try await openApplication(rows: 2)
            try await expectRows(1...3, client)
            #expect(try await daemon.feed().state == "live")
            application.signal(SIGTERM)
            #expect(try await application.end() == .exit(0), "\(application.state.value)")
            try await expectRows(4...4, client)
            let again = try await openApplication(rows: 1)
            try await expectRows(5...5, client)
            again.signal(SIGTERM)
            #expect(try await again.end() == .exit(0), "\(again.state.value)")
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `the remedy works: a shared group and the set-group-ID bit`() async throws {
            try makeDatabase(folderMode: 0o2775, fileMode: 0o664)
            // The daemon's user is in the database's group.
            let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--groups=12345"]
            let yaml =
                "listen: 127.0.0.1:0\ndatabase: \(database)\npoll_interval: 50ms\nfeeds: {orders: {start: earliest}}\n"
            let config = try DaemonProcess.write(yaml, in: directory)
            let daemon = try await DaemonProcess.start(config: config, under: wrapper)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            try await expectRows(1...1, client)
            let application = try await openApplication(rows: 2)
            try await expectRows(2...3, client)
            application.signal(SIGTERM)
            #expect(try await application.end() == .exit(0), "\(application.state.value)")
            try await expectRows(4...4, client)
            #expect(try await daemon.terminate() == .exit(0))
        }

        @Test func `a database that the daemon may not read is refused, with the remedy`() async throws {
            try makeDatabase(folderMode: 0o755, fileMode: 0o600)
            let daemon = try await start()
            try await daemon.logged("feed is broken")
            #expect(
                try await daemon.feed().lastError?.contains("can't be read by user 65534: permission denied") == true
            )
            try #require(chmod(folder, 0o700) == 0)
            try await daemon.logged("let this user search every directory on the way")
            // Healed by the administrator, without a restart.
            try #require(chmod(folder, 0o755) == 0 && chmod(database, 0o644) == 0)
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            let application = try await openApplication(rows: 1)
            try await expectRows(1...2, client)
            application.signal(SIGTERM)
            try await application.end()
            #expect(try await daemon.terminate() == .exit(0))
        }
    }
}

/// The users that take part, each with what to run its programs under.
private enum TwoUsers {
    static let application = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    static let daemon = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    static func arePossible() async throws -> Bool {
        guard geteuid() == 0 else { return false }
        return try await DaemonProcess.run(["--version"], under: daemon).end() == .exit(0)
    }
}
