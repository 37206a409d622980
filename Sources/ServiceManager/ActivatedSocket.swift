// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A listening socket that the service manager opened.
package struct ActivatedSocket: Sendable, CustomStringConvertible {
    /// The descriptor, which stays open as long as the process lives.
    package let descriptor: CInt

    /// The name that the unit gives it, by `FileDescriptorName=`.
    package let name: String

    /// Whether it is TCP and not a socket of the file system.
    package let isTCP: Bool

    /// Where it listens: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/rowtail.sock`.
    package let description: String

    /// Looks at a descriptor; `nil` when it isn't a socket that accepts streams.
    init?(descriptor: CInt, name: String) {
        guard Self.option(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue),
            Self.option(SO_ACCEPTCONN, of: descriptor) == 1,
            let (isTCP, description) = Self.address(of: descriptor)
        else { return nil }
        self.descriptor = descriptor
        self.name = name
        self.isTCP = isTCP
        self.description = description
    }

    private static func option(_ option: CInt, of descriptor: CInt) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, option, &value, &size) == 0 ? value : nil
    }

    private static func address(of descriptor: CInt) -> (isTCP: Bool, description: String)? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            let status = storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &size)
            }
            guard status == 0 else { return nil }
            switch Int32(storage.pointee.ss_family) {
            case AF_UNIX:
                return (false, "unix:\(path(UnsafeRawBufferPointer(start: storage, count: Int(size))))")
            case AF_INET:
                return numbers(storage, size).map { (true, "\($0.host):\($0.port)") }
            case AF_INET6:
                return numbers(storage, size).map { (true, "[\($0.host)]:\($0.port)") }
            default:
                return nil
            }
        }
    }

    /// The path of a socket, or the abstract name with an `@` before it.
    private static func path(_ address: UnsafeRawBufferPointer) -> String {
        let start = MemoryLayout<sockaddr_un>.offset(of: \sockaddr_un.sun_path) ?? 0
        let bytes = address.dropFirst(start)
        guard bytes.first == 0 else { return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
        return "@" + String(decoding: bytes.dropFirst(), as: UTF8.self)
    }

    private static func numbers(
        _ storage: UnsafeMutablePointer<sockaddr_storage>,
        _ size: socklen_t
    ) -> (host: String, port: String)? {
        func text(_ bytes: [CChar]) -> String {
            String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let status = storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            getnameinfo(
                address,
                size,
                &host,
                socklen_t(host.count),
                &port,
                socklen_t(port.count),
                NI_NUMERICHOST | NI_NUMERICSERV
            )
        }
        return status == 0 ? (text(host), text(port)) : nil
    }
}
