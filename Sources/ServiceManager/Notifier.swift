// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Tells the service manager what the process is doing.
///
/// Without a `NOTIFY_SOCKET` there is nobody to tell, and every call does nothing. No call throws, waits or opens a file:
/// the socket is opened once, so that a process without a descriptor to spare still feeds its watchdog. What the manager
/// doesn't take at once goes out with the next call instead, the newest state and status of each.
///
/// The environment is left as it is: changing it is not safe while threads read it, and rowtail starts no programs that
/// would inherit it.
///
/// Source: sd_notify(3).
package final class Notifier: Sendable {
    /// What is yet to be said; bounded, as each field only keeps its newest value.
    private struct Pending {
        var state: String?
        var status: String?
    }

    private let descriptor: CInt
    private let address: UnixAddress?
    private let pending = Mutex(Pending())

    /// Opens a socket to the manager that the environment names.
    ///
    /// - Parameter environment: Where `NOTIFY_SOCKET` is a path or, with an `@` before it, an abstract name. Others, such
    ///   as `vsock:`, count as not set.
    package init(environment: [String: String]) {
        let address = environment["NOTIFY_SOCKET"].flatMap(UnixAddress.init)
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = address == nil ? -1 : socket(AF_UNIX, type, 0)
        self.address = descriptor < 0 ? nil : address
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether there is a manager to tell.
    package var isOn: Bool { address != nil }

    /// Says that the process serves, after its start or after a reload.
    package func ready(status: String) {
        send(state: "READY=1", status: status)
    }

    /// Says in a line for people how things stand.
    package func status(_ status: String) {
        send(status: status)
    }

    /// Says that a reload has begun; ``ready(status:)`` says that it is over, also where it was refused.
    package func reloading() {
        // Tells this reload from one that was asked for after it.
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send(state: "RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)")
    }

    /// Says that the process is about to end.
    package func stopping() {
        send(state: "STOPPING=1")
    }

    /// Says that the process makes progress; see ``Watchdog``.
    package func watchdog() {
        send(feedsWatchdog: true)
    }

    private func send(state: String? = nil, status: String? = nil, feedsWatchdog: Bool = false) {
        guard let address else { return }
        pending.withLock { pending in
            if let state { pending.state = state }
            if let status {
                pending.status = "STATUS=\(status.split(whereSeparator: \.isNewline).joined(separator: " "))"
            }
            let fields = [pending.state, pending.status, feedsWatchdog ? "WATCHDOG=1" : nil].compactMap { $0 }
            if address.send(fields.joined(separator: "\n"), from: descriptor) { pending = Pending() }
        }
    }
}
