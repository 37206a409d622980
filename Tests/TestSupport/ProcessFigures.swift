// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Glibc

/// What the kernel says of a process; see proc(5).
package enum ProcessFigures {
    /// Lets this process have as many files and sockets open as it may.
    ///
    /// - Throws: `POSIXError` when the kernel refuses.
    package static func raiseOpenFiles() throws {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { throw POSIXError(.EPERM) }
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(resource, &limit) == 0 else { throw POSIXError(.EPERM) }
    }

    /// The time on processors so far, in user and kernel mode.
    package static func processorTime(_ pid: pid_t) throws -> Duration {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // The second field is the name in parentheses, which may hold anything.
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Int(fields[11]), let kernel = Int(fields[12]) else {
            throw NotInTime(description: "no times in '\(text)'")
        }
        return .seconds(user + kernel) / Double(sysconf(CInt(_SC_CLK_TCK)))
    }

    /// Which memory is meant.
    package enum Memory: String, Sendable {
        /// All of it.
        case all = "VmRSS:"
        /// What isn't read from a file, and so can't be read again.
        case anonymous = "RssAnon:"
    }

    /// The memory that is in RAM, in bytes.
    package static func residentBytes(_ pid: pid_t, _ memory: Memory = .all) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix(memory.rawValue) }
        guard let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw NotInTime(description: "no \(memory.rawValue) in '\(text)'")
        }
        return kilobytes << 10
    }

    /// How many descriptors are open.
    package static func openFiles(_ pid: pid_t) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }

    /// The share of one processor that a process takes over a while, 1 being all of it.
    package static func load(_ pid: pid_t, over time: Duration) async throws -> Double {
        let (before, start) = (try processorTime(pid), ContinuousClock.now)
        try await ContinuousClock().sleep(for: time)
        return (try processorTime(pid) - before) / (.now - start)
    }
}
