// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Runs programs to their end.
package enum Shell {
    /// A program that failed.
    package struct Failure: Error, CustomStringConvertible {
        /// The command, its exit status and what it printed.
        package var description: String
    }

    /// Runs a program found in PATH.
    ///
    /// - Returns: What it printed to standard output.
    /// - Throws: ``Failure`` when it doesn't exit with 0.
    @discardableResult
    package static func run(
        _ program: String,
        _ arguments: [String],
        directory: String? = nil,
        environment: [String: String]? = nil
    ) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        if let environment {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        let output = Pipe()
        // Foundation keeps the process for longer than it is there, and with it the pipe.
        defer { try? output.fileHandleForReading.close() }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationStatus == 0 else {
            let command = ([program] + arguments).joined(separator: " ")
            throw Failure(description: "\(command): exit status \(process.terminationStatus): \(text)")
        }
        return text
    }
}
