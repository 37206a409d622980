// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The programs that tests run beside the daemon: writers and clients in other languages.
enum TestPrograms {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// The top of the checkout.
    static let checkout = folder.deletingLastPathComponent().deletingLastPathComponent()

    /// The path of one of them.
    static func path(_ name: String) -> String {
        folder.appendingPathComponent("Programs/\(name)").path
    }

    /// Lets a test run where one of some programs is there.
    ///
    /// Where everything is to be run, it runs anyhow, and fails without.
    static func needs(_ names: String..., package: String) -> ConditionTrait {
        let environment = ProcessInfo.processInfo.environment
        let folders = (environment["PATH"] ?? "").split(separator: ":")
        let found = names.contains { name in
            folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
        }
        let needsAll = environment["ROWTAIL_SOAK"] == "1"
        return .enabled(if: found || needsAll, "no \(names[0]) found; on Debian: apt-get install \(package)")
    }

    /// A Python with the packages of `requirements.txt`, made once and kept with what is built.
    static func python() async throws -> String {
        let requirements = try String(contentsOfFile: path("requirements.txt"), encoding: .utf8)
        let folder = checkout.appendingPathComponent(".build/clients-venv").path
        let (python, mark) = ("\(folder)/bin/python3", "\(folder)/requirements.txt")
        if (try? String(contentsOfFile: mark, encoding: .utf8)) == requirements { return python }
        try await run(
            "python3",
            ["-m", "venv", "--clear", folder],
            remedy: "on Debian: apt-get install python3-venv"
        )
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]
        try await run(
            python,
            arguments + [path("requirements.txt")],
            remedy: "the packages come from PyPI; see that pip reaches it or a mirror"
        )
        try requirements.write(toFile: mark, atomically: true, encoding: .utf8)
        return python
    }

    private static func run(_ program: String, _ arguments: [String], remedy: String) async throws {
        let running = try RunningProgram(program, arguments)
        guard try await running.end(within: .seconds(300)) == .exit(0) else {
            throw NotInTime(
                description:
                    "\(program) \(arguments.joined(separator: " ")) failed; \(remedy): \(running.state.value)"
            )
        }
    }
}
