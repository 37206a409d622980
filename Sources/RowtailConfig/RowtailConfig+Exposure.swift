// SPDX-License-Identifier: Apache-2.0

import Glibc

extension RowtailConfig {
    /// Says that other machines reach the daemon and what protects it is missing: tokens, encryption or both.
    ///
    /// Names are looked up, which may take as long as the system's resolver takes; one that can't be is left to whoever
    /// binds it.
    ///
    /// - Parameter activated: Where the sockets listen that systemd passed, `HOST:PORT`, `[IPV6]:PORT` or anything else
    ///   for what isn't TCP.
    /// - Returns: One sentence with the remedy, or `nil` where nothing is to be said.
    package func exposureWarning(activated: [String] = []) -> String? {
        let (danger, remedy): (String, String)
        let keys = "tls.certificate and tls.private_key"
        switch (auth.tokensFile, tls) {
        case (nil, nil):
            danger = "anybody there may read every feed, and nothing is encrypted on the way"
            remedy = "set auth.tokens_file, \(keys)"
        case (nil, _?):
            danger = "anybody there may read every feed"
            remedy = "set auth.tokens_file"
        case (_?, nil):
            danger = "tokens and rows are not encrypted on the way"
            remedy = "set \(keys)"
        case (_?, _?):
            return nil
        }
        let reached =
            listen.filter { address in
                guard case .tcp(let host, _) = address else { return false }
                return !Self.isLoopback(host: host)
            }.map(\.description) + activated.filter { !Self.isLoopback(endpoint: $0) }
        guard !reached.isEmpty else { return nil }
        let endpoints = reached.map { "'\($0.printable)'" }.joined(separator: ", ")
        return
            "listen: other machines reach \(endpoints): \(danger); \(remedy), or listen on 127.0.0.1 behind a proxy that "
            + "sees to it"
    }

    private static func isLoopback(endpoint: String) -> Bool {
        guard !endpoint.hasPrefix("unix:"), let colon = endpoint.lastIndex(of: ":") else { return true }
        let host = endpoint[..<colon]
        return isLoopback(host: String(host.hasPrefix("[") ? host.dropFirst().dropLast() : host))
    }

    /// Whether all that a host name or address stands for is this machine's own.
    private static func isLoopback(host: String) -> Bool {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &found) == 0 else { return true }
        defer { freeaddrinfo(found) }
        return sequence(first: found) { $0?.pointee.ai_next }.prefix { $0 != nil }.allSatisfy { entry in
            isLoopback(entry?.pointee.ai_addr)
        }
    }

    private static func isLoopback(_ address: UnsafeMutablePointer<sockaddr>?) -> Bool {
        guard let address else { return true }
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt32(bigEndian: $0.pointee.sin_addr.s_addr) >> 24 == 127
            }
        case AF_INET6:
            return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) { bytes in
                    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127]
                    let loopback: [UInt8] = Array(repeating: 0, count: 15) + [1]
                    return bytes.starts(with: mapped) || bytes.elementsEqual(loopback)
                }
            }
        default:
            return true
        }
    }
}
