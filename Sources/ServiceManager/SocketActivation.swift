// SPDX-License-Identifier: Apache-2.0

package import Glibc

/// The listening sockets that the service manager hands over, and keeps open while the process is not there.
///
/// Clients that connect during a restart wait in the sockets' queues instead of being refused. The sockets stay open as
/// long as the process lives; who listens on one does so on a copy, which can be closed and made again. The environment is left as it is, for the reasons that ``Notifier`` gives.
///
/// Source: sd_listen_fds(3).
package struct SocketActivation: Sendable {
    /// Why there is nothing to listen on.
    package struct Failure: Error, CustomStringConvertible {
        /// What is wrong and what to do about it.
        package let description: String
    }

    /// The first descriptor that is handed over, SD_LISTEN_FDS_START.
    private static let start: CInt = 3

    private let passed: [(descriptor: CInt, name: String)]

    /// Takes what was handed over to this process, and keeps it from programs that it might start.
    ///
    /// To be called once, before files are opened. What the sockets are is looked at when they are asked for.
    ///
    /// - Parameters:
    ///   - environment: `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. Nothing was handed over when the first two are
    ///     not set, or are meant for another process.
    ///   - processID: The process that asks.
    ///   - start: The first descriptor.
    package init(environment: [String: String], processID: pid_t = getpid(), start: CInt? = nil) {
        guard let listener = environment["LISTEN_PID"].flatMap(pid_t.init), listener == processID,
            let count = environment["LISTEN_FDS"].flatMap(CInt.init), (1...65_536).contains(count)
        else {
            passed = []
            return
        }
        let names = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        passed = (0..<count).map { index in
            let descriptor = (start ?? Self.start) + index
            let flags = fcntl(descriptor, F_GETFD)
            if flags >= 0 { _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) }
            // What systemd calls a descriptor that nobody named.
            return (descriptor, names.count == Int(count) ? String(names[Int(index)]) : "unknown")
        }
    }

    /// The sockets that were handed over.
    ///
    /// - Parameter name: What the unit calls them, by `FileDescriptorName=`; `nil` for all.
    /// - Returns: At least one, in the order of the unit. Their descriptors stay open as long as the process lives.
    /// - Throws: ``Failure``.
    package func sockets(named name: String? = nil) throws -> [ActivatedSocket] {
        guard !passed.isEmpty else {
            throw Failure(description: "systemd passed no sockets; start rowtail.socket, or give an address")
        }
        let chosen = passed.filter { name == nil || $0.name == name }
        guard let name = chosen.isEmpty ? name : nil else { return try chosen.map(socket) }
        let others = Set(passed.map { "'\($0.name)'" }).sorted().joined(separator: ", ")
        throw Failure(
            description:
                "systemd passed no socket named '\(name)', but \(others); set FileDescriptorName=\(name) in its unit"
        )
    }

    private func socket(_ descriptor: CInt, _ name: String) throws -> ActivatedSocket {
        guard let socket = ActivatedSocket(descriptor: descriptor, name: name) else {
            throw Failure(
                description: "'\(name)', descriptor \(descriptor), that systemd passed is no listening stream socket; "
                    + "use ListenStream= with Accept=no in its unit"
            )
        }
        return socket
    }
}
