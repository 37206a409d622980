// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A socket that takes what a service manager is told.
///
/// Source: sd_notify(3).
package final class StandInManager {
    private let descriptor: CInt

    /// Binds a socket to a path, or to an abstract name that begins with `@`.
    package init(_ name: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // The terminating zero of a path may be counted; a byte more would be part of an abstract name.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard status == 0 else {
            throw NotInTime(description: "no socket '\(name)': \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// The datagrams that came so far.
    package func received() -> [String] {
        var messages: [String] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count >= 0 {
            messages.append(String(decoding: buffer.prefix(count), as: UTF8.self))
        }
        return messages
    }
}
