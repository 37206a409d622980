// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The address of a socket in the file system or in the abstract namespace; see unix(7).
struct UnixAddress {
    private let address: sockaddr_un
    private let length: socklen_t

    /// From a path, or from an abstract name with an `@` before it; `nil` for anything else, and when it is too long.
    init?(_ name: String) {
        var bytes = Array(name.utf8)
        guard bytes.count > 1, bytes[0] == UInt8(ascii: "/") || bytes[0] == UInt8(ascii: "@") else { return nil }
        let isAbstract = bytes[0] == UInt8(ascii: "@")
        if isAbstract { bytes[0] = 0 }
        var address = sockaddr_un()
        // A path has a zero byte after it.
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let start = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? 0
        self.address = address
        length = socklen_t(start + bytes.count + (isAbstract ? 0 : 1))
    }

    /// Sends a datagram to it, unless that would have to wait.
    func send(_ text: String, from descriptor: CInt) -> Bool {
        var text = text
        let count = text.withUTF8 { bytes in
            withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
                }
            }
        }
        return count >= 0
    }
}
