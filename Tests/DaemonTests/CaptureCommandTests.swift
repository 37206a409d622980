// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// `rowtail capture`: what it prints and does, and that the application doesn't notice.
    @Suite struct CaptureCommandTests {
        private let database: TemporaryDatabase
        private let config: String

        init() throws {
            database = try TemporaryDatabase(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT UNIQUE, total REAL);"
            )
            config = try Self.configure(database, "{mode: log, capture: {retention_rows: 2}}")
        }

        private static func configure(_ database: TemporaryDatabase, _ feed: String) throws -> String {
            try DaemonProcess.write("database: \(database.path)\nfeeds: {orders: \(feed)}\n", in: database.directory)
        }

        /// The exit code, and the lines of standard output or, where there are none, of standard error.
        private func run(_ arguments: String...) async throws -> (RunningProgram.End, [String]) {
            let program = try DaemonProcess.run(["capture"] + arguments + ["--config", config])
            let end = try await program.end()
            let state = program.state.value
            return (end, state.output.isEmpty ? state.errors : state.output)
        }

        @Test func `install, status, prune and remove say what they did`() async throws {
            #expect(
                try await run("status", "orders") == (
                    .exit(1),
                    ["capture isn't installed on table 'orders'; run 'rowtail capture install orders'", "entries: 0"]
                )
            )
            #expect(
                try await run("install", "orders") == (.exit(0), ["capture is installed on table 'orders' (number 1)"])
            )
            #expect(
                try await run("install", "orders")
                    == (.exit(0), ["capture is installed on table 'orders' already, and matches"])
            )
            try database.shell("INSERT INTO orders (customer) VALUES ('ada'), ('bob'), ('eve')")
            #expect(try await run("prune", "orders", "--dry-run") == (.exit(0), ["would prune 1 entries"]))
            #expect(try await run("prune", "orders") == (.exit(0), ["pruned 1 entries"]))
            let (end, lines) = try await run("status", "orders")
            #expect(end == .exit(0) && lines.count == 4)
            #expect(Array(lines.prefix(2)) == ["capture is installed on table 'orders' and matches", "entries: 2"])
            #expect(
                lines[2].wholeMatch(of: /written: [-0-9T:.]+Z to [-0-9T:.]+Z/) != nil && lines[3] == "pruned through: 1"
            )
            try database.shell("ALTER TABLE orders ADD COLUMN note")
            #expect(try await run("status", "orders").0 == .exit(1))
            #expect(try await run("remove", "orders") == (.exit(0), ["capture is removed from table 'orders'"]))
            #expect(try await run("remove", "orders").0 == .exit(69))
            #expect(try database.shell("SELECT count(*) FROM sqlite_master WHERE name LIKE 'rowtail%'") == "0\n")
        }

        @Test func `a dry run prints SQL that does the same, and writes nothing`() async throws {
            let (end, install) = try await run("install", "orders", "--dry-run")
            #expect(end == .exit(0))
            #expect(try database.shell("SELECT count(*) FROM sqlite_master WHERE name LIKE 'rowtail%'") == "0\n")
            try database.shell("BEGIN;\n" + install.joined(separator: "\n") + "COMMIT;")
            #expect(try await run("status", "orders").0 == .exit(0))
            let (_, remove) = try await run("remove", "orders", "--dry-run")
            #expect(try await run("status", "orders").0 == .exit(0))
            try database.shell(remove.joined(separator: "\n"))
            #expect(try database.shell("SELECT count(*) FROM sqlite_master WHERE name LIKE 'rowtail%'") == "0\n")
        }

        @Test func `the cost is measured and nothing stays of it`() async throws {
            let (end, lines) = try await run("install", "orders", "--measure")
            #expect(end == .exit(0) && lines.count == 4)
            for (line, kind) in zip(lines.dropFirst(), ["insert", "update", "delete"]) {
                #expect(
                    line.wholeMatch(of: /(\w+): [0-9.]+ µs without, [0-9.]+ µs with triggers: x [0-9.]+/)?.1
                        == kind[...]
                )
            }
            #expect(
                try database.shell("SELECT (SELECT count(*) FROM sqlite_master), (SELECT count(*) FROM orders)")
                    == "2|0\n"
            )
        }

        @Test func `what can't be done has its exit code and remedy`() async throws {
            let (end, lines) = try await run("install", "nothing")
            #expect(end == .exit(78) && lines == ["\(config): there is no feed 'nothing'; name one of: orders"])
            _ = try Self.configure(database, "{capture: {}}")
            let (mode, hints) = try await run("install", "orders")
            #expect(mode == .exit(78))
            #expect(hints.last == "\(config): feeds.orders.mode is 'append', which needs no capture; set it to 'log'")
            _ = try Self.configure(database, "{mode: log}")
            let (prune, missing) = try await run("prune", "orders")
            #expect(prune == .exit(78) && missing.first?.contains("set feeds.orders.capture.retention_age or ") == true)
            _ = try Self.configure(database, "{mode: log, table: none}")
            #expect(try await run("install", "orders").0 == .exit(69))
        }

        @Test(arguments: ["python3", "apsw"])
        func `the application notices nothing, and the log gives the table again`(library: String) async throws {
            var python = "python3"
            if library == "apsw" {
                guard let found = try await Self.pythonWithAPSW() else { return }
                python = found
            }
            let seed = ProcessInfo.processInfo.environment["ROWTAIL_TEST_SEED"] ?? "rowtail"
            let program = try RunningProgram(
                python,
                [TestPrograms.path("capture_differs.py"), DaemonProcess.executable, "120", seed],
                environment: ["ROWTAIL_TEST_APSW": library == "apsw" ? "1" : nil]
            )
            #expect(try await program.end(within: .seconds(150)) == .exit(0), "\(program.state.value)")
            let line = try #require(program.state.value.output.last)
            #expect(
                line.wholeMatch(of: /SQLite [0-9.]+: 120 rounds, [0-9]{4,} entries, all the same/) != nil,
                "\(line)"
            )
            print(line)
        }

        /// A Python with the newest SQLite that PyPI has, made once and kept with what is built.
        ///
        /// Where PyPI can't be reached, the test says so and does without, but not in CI.
        private static func pythonWithAPSW() async throws -> String? {
            let folder = TestPrograms.checkout.appendingPathComponent(".build/apsw-venv").path
            let python = "\(folder)/bin/python3"
            let steps = [
                ("python3", ["-m", "venv", "--clear", folder]),
                (python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "apsw"]),
                (python, ["-c", "import apsw"]),
            ]
            if let found = try? RunningProgram(python, ["-c", "import apsw"]), try await found.end() == .exit(0) {
                return python
            }
            for (program, arguments) in steps {
                let running = try RunningProgram(program, arguments)
                guard try await running.end(within: .seconds(120)) == .exit(0) else {
                    let message =
                        "apsw could not be installed, so nothing was compared on the newest SQLite: \(running.state.value)"
                    try #require(ProcessInfo.processInfo.environment["CI"] == nil, "\(message)")
                    print("warning: \(message)")
                    return nil
                }
            }
            return python
        }
    }
}
