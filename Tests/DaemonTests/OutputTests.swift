// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// What becomes of what commands print where it can't be written.
    @Suite struct OutputTests {
        private let database: TemporaryDatabase

        init() throws {
            database = try TemporaryDatabase()
        }

        private func run(_ arguments: String, under wrapper: [String]) throws -> RunningProgram {
            let text = "database: \(database.path)\nfeeds: {orders: {mode: log, key: id}}\n"
            let config = try DaemonProcess.write(text, in: database.directory)
            let words = arguments.split(separator: " ").map { $0 == "CONFIG" ? config : String($0) }
            return try DaemonProcess.run(words, under: wrapper)
        }

        private static let commands = [
            "check --config CONFIG", "check --json --config CONFIG", "check --json --config CONFIG.none",
            "capture install orders --dry-run --config CONFIG", "capture status orders --config CONFIG",
            "probe http://127.0.0.1:1/feeds/orders", "--version", "help check",
        ]

        @Test(arguments: commands) func `a full disk is told`(_ arguments: String) async throws {
            let program = try run(arguments, under: ["sh", "-c", #"exec "$@" >/dev/full"#, "sh"])
            #expect(try await program.end() == .exit(1), "\(program.state.value)")
            let line = "standard output can't be written: no space left on device; write to where it can"
            let errors = program.state.value.errors
            // A configuration that isn't there is told besides.
            #expect(errors.last == line && errors.count == (arguments.hasSuffix(".none") ? 2 : 1), "\(errors)")
        }

        /// Runs a program whose standard output is a pipe that nobody reads.
        private static let unread = """
            import os, signal, sys
            signal.signal(signal.SIGPIPE, getattr(signal, sys.argv[1]))
            reader, writer = os.pipe()
            os.dup2(writer, 1)
            os.execvp(sys.argv[2], sys.argv[2:])
            """

        @Test(arguments: commands.prefix(2) + commands.suffix(3), ["SIG_DFL", "SIG_IGN"])
        func `a reader that left ends the program without a word`(_ arguments: String, _ action: String) async throws {
            let program = try run(arguments, under: ["python3", "-c", Self.unread, action])
            #expect(try await program.end() == .signal(SIGPIPE), "\(program.state.value)")
            #expect(program.state.value.errors.isEmpty, "\(program.state.value)")
        }

        @Test(arguments: [">/dev/full", ">&-"])
        func `the exit code doesn't depend on whether the complaint can be written`(_ errors: String) async throws {
            let program = try run(
                "check --config CONFIG.none",
                under: ["sh", "-c", #"exec "$@" 2"# + errors, "sh"]
            )
            #expect(try await program.end() == .exit(78), "\(program.state.value)")
        }
    }
}
