// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

/// Orders that a daemon serves on a port of its own to those who have a token, and programs that follow them.
struct ServedOrders {
    static let token = "0123456789abcdef0123456789abcdef"

    let database: TemporaryDatabase
    /// The port of pages that may read as well.
    let pagePort: Int
    /// Where programs keep their id.
    let idFile: String
    private let port: Int
    private let config: String

    /// Three orders.
    init() throws {
        database = try TemporaryDatabase()
        try database.insertOrders(3)
        (port, pagePort) = (try DaemonProcess.freePort(), try DaemonProcess.freePort())
        idFile = database.directory.file("orders.id")
        try DaemonProcess.write("\(Self.token) orders\n", as: "tokens", in: database.directory)
        config = try DaemonProcess.write(
            """
            listen: 127.0.0.1:\(port)
            database: \(database.path)
            state_directory: \(database.directory.file("state"))
            poll_interval: 50ms
            retry: 100ms
            heartbeat_interval: 500ms
            cors: {allowed_origins: ['http://127.0.0.1:\(pagePort)'], allow_credentials: true}
            auth: {tokens_file: tokens, allow_query_token: true, cookie: rowtail}
            feeds: {orders: {start: earliest}}
            """,
            in: database.directory
        )
    }

    var url: String { "http://127.0.0.1:\(port)/feeds/orders" }

    func start() async throws -> DaemonProcess {
        try await DaemonProcess.start(config: config)
    }

    /// Starts a program as its page says: URL, token and file come by its environment.
    func run(
        _ command: [String],
        query: String = "",
        token: String = token,
        environment: [String: String?] = [:]
    ) throws -> RunningProgram {
        var variables: [String: String?] = [
            "ROWTAIL_URL": url + query, "ROWTAIL_TOKEN": token, "ROWTAIL_ID_FILE": idFile,
            "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1",
        ]
        variables.merge(environment) { $1 }
        return try RunningProgram(command[0], Array(command.dropFirst()), environment: variables)
    }

    /// The data of some rows, the customer of which are mostly ada.
    static func rows(_ ids: ClosedRange<Int>, restored: ClosedRange<Int>? = nil) -> [String] {
        ids.map { id in
            let customer =
                restored?.contains(id) == true ? "restored" : id == 4 || id == 5 ? #"grâce \"☕\" \\ \n"# : "ada"
            return #"{"id":\#(id),"customer":"\#(customer)","total":1.5}"#
        }
    }

    /// Adds rows 4 and 5, with text that is easily broken.
    func insertOdd() throws {
        try database.insertOrders(2, customer: "grâce \"☕\" \\ \n")
    }

    /// Has another token let in instead.
    func setToken(_ token: String, daemon: DaemonProcess) throws {
        try DaemonProcess.write("\(token) orders\n", as: "tokens", in: database.directory)
        daemon.program.signal(SIGHUP)
    }

    /// Waits until programs have stored an id.
    func stores(_ id: String) async throws {
        try await eventually("the id \(id) in the file") { () -> Bool? in
            let text = try? String(contentsOfFile: idFile, encoding: .utf8)
            return text?.trimmingCharacters(in: .newlines) == id ? true : nil
        }
    }

    /// Puts an older copy in the place of the database, while the daemon runs, and adds two rows.
    func restore(_ copy: String, head: Int, daemon: DaemonProcess) async throws {
        let file = database.directory.file("state/orders.state")
        try await eventually("anchors at row \(head)") { () -> Bool? in
            let text = try? String(contentsOfFile: file, encoding: .utf8)
            return text?.contains("\"position\":\"\(head)\"") == true ? true : nil
        }
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: database.path + suffix) }
        try #require(rename(copy, database.path) == 0)
        try await daemon.logged("history broke, a new generation begins")
        try database.insertOrders(2, customer: "restored")
    }

    /// Makes the copy that `restore` takes.
    func backUp() throws -> String {
        let copy = database.directory.file("backup.db")
        try database.shell(".backup '\(copy)'")
        return copy
    }
}

/// Waits for the lines that a program is to have printed so far, or for its end.
func expectLines(_ lines: [String], of program: RunningProgram) async throws {
    let found = try await program.state.until("\(lines.count) lines", within: .seconds(60)) { state in
        state.output.count >= lines.count || state.isOver ? state.output : nil
    }
    #expect(found == lines, "\(program.state.value)")
}
