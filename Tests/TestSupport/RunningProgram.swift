// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Glibc

/// A program that runs beside the test: its lines as they come, its end, and signals to it.
///
/// It is killed when the last reference to it goes away.
package final class RunningProgram: Sendable {
    /// How a program ended.
    package enum End: Hashable, Sendable {
        /// By itself, with an exit code.
        case exit(Int32)
        /// By a signal.
        case signal(Int32)
    }

    /// What is known of the program.
    package struct State: Sendable, CustomStringConvertible {
        /// The lines of standard output so far.
        package var output: [String] = []
        /// The lines of standard error so far.
        package var errors: [String] = []
        /// How it ended; `nil` while it runs.
        package var end: End?
        fileprivate var openPipes = 2

        /// Whether it ended and everything that it wrote is here.
        package var isOver: Bool { end != nil && openPipes == 0 }

        /// The end and all lines.
        package var description: String {
            "\(end.map { "\($0)" } ?? "running")\n\(output.joined(separator: "\n"))\n\(errors.joined(separator: "\n"))"
        }
    }

    /// What is known of the program.
    package let state = Watched(State())

    /// The process.
    package let pid: pid_t

    /// Starts a program found in PATH, or at an absolute path.
    ///
    /// Its environment is that of the test with what is given; variables given as `nil` are taken out.
    package init(_ program: String, _ arguments: [String], environment: [String: String?] = [:]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        var variables = ProcessInfo.processInfo.environment
        for (name, value) in environment { variables[name] = value }
        process.environment = variables
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        let state = state
        process.terminationHandler = { process in
            let end: End =
                process.terminationReason == .exit
                ? .exit(process.terminationStatus) : .signal(process.terminationStatus)
            state.update { $0.end = end }
        }
        try Self.withoutBlockedSignals { try process.run() }
        pid = process.processIdentifier
        Self.readLines(output) { line in state.update { $0.take(line, \.output) } }
        Self.readLines(errors) { line in state.update { $0.take(line, \.errors) } }
    }

    deinit {
        if state.value.end == nil { kill(pid, SIGKILL) }
    }

    /// The threads that tests run on block signals, and a program begins with what the thread that starts it blocks.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    /// Hands over each line of a pipe, and `nil` at its end.
    private static func readLines(_ pipe: Pipe, _ take: @escaping @Sendable (String?) -> Void) {
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread {
            var rest = Data()
            while true {
                let data = handle.availableData
                rest.append(data)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    take(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[(end + 1)...])
                }
                guard !data.isEmpty else { break }
            }
            // Foundation keeps the process for longer than it is there, and with it the pipe.
            try? handle.close()
            if !rest.isEmpty { take(String(decoding: rest, as: UTF8.self)) }
            take(nil)
        }
    }

    /// Sends a signal.
    package func signal(_ number: Int32) {
        guard state.value.end == nil else { return }
        kill(pid, number)
    }

    /// Waits for the end, and for everything that the program wrote.
    @discardableResult
    package func end(within limit: Duration = .seconds(30)) async throws -> End {
        try await state.until("the end of the program", within: limit) { $0.isOver ? $0.end : nil }
    }

    /// Waits for a line of standard error that contains a text.
    @discardableResult
    package func errorLine(_ text: String, within limit: Duration = .seconds(30)) async throws -> String {
        let line = try await state.until("a line with '\(text)', or the end", within: limit) { state -> String?? in
            if let line = state.errors.first(where: { $0.contains(text) }) { return .some(line) }
            return state.isOver ? .some(nil) : nil
        }
        guard let line else { throw NotInTime(description: "ended without a line with '\(text)': \(state.value)") }
        return line
    }
}

extension RunningProgram.State {
    fileprivate mutating func take(_ line: String?, _ lines: WritableKeyPath<Self, [String]>) {
        if let line {
            self[keyPath: lines].append(line)
        } else {
            openPipes -= 1
        }
    }
}
