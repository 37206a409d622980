// SPDX-License-Identifier: Apache-2.0

/// Where the server accepts connections.
package enum ListenAddress: Sendable, Hashable {
    /// A host name or IP address (IPv6 without brackets) and a port; port 0 lets the system choose one.
    case tcp(host: String, port: Int)

    /// A unix domain socket at an absolute path.
    case unix(path: String)

    /// The sockets that systemd opened: those of one `FileDescriptorName=`, or without a name all of them.
    case activated(name: String?)
}

extension ListenAddress: CustomStringConvertible {
    /// The address as it is written in the file.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .activated(let name): name.map { "systemd:\($0)" } ?? "systemd"
        }
    }
}

extension ValueParser<ListenAddress> {
    /// Reads `HOST:PORT`, `[IPV6]:PORT`, `unix:/PATH`, `systemd` or `systemd:NAME`.
    static var listenAddress: Self {
        Self("address") { scalar throws(ValueError) in
            let text = scalar.text
            if text.hasPrefix("unix:") {
                return .unix(path: try socketPath(text))
            }
            if text == "systemd" || text.hasPrefix("systemd:") {
                return .activated(name: try socketName(text))
            }
            if text.contains("://") {
                throw ValueError("\(text.quoted) is a URL; write HOST:PORT or unix:/PATH")
            }
            guard let colon = text.lastIndex(of: ":") else {
                if Int(text) != nil {
                    throw ValueError(noHost(text, port: text))
                }
                throw ValueError("\(text.quoted) has no port; write \(text.printable):8080")
            }
            let portText = text[text.index(after: colon)...]
            guard !portText.isEmpty, portText.utf8.allSatisfy(\.isDigit), let port = Int(portText), port <= 65535 else {
                throw ValueError("\(text.quoted) has no valid port; write HOST:PORT with a port from 0 to 65535")
            }
            return .tcp(host: try host(String(text[..<colon]), of: text, port: String(portText)), port: port)
        }
    }

    private static func host(_ host: String, of text: String, port: String) throws(ValueError) -> String {
        if host.isEmpty || host == "*" {
            throw ValueError(noHost(text, port: port))
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = String(host.dropFirst().dropLast())
            guard address.contains(":"), address.utf8.allSatisfy(\.isInIPv6Address) else {
                throw ValueError("\(text.quoted) has no IPv6 address in its brackets; write [::1]:\(port)")
            }
            return address
        }
        if host.contains(":") {
            throw ValueError("\(text.quoted) has an IPv6 address without brackets; write [\(host.printable)]:\(port)")
        }
        guard host.utf8.allSatisfy(\.isInHostName) else {
            throw ValueError("\(text.quoted) has no valid host; write HOST:PORT or unix:/PATH")
        }
        return host
    }

    private static func socketPath(_ text: String) throws(ValueError) -> String {
        let path = String(text.dropFirst("unix:".count))
        guard path.hasPrefix("/"), path.count > 1 else {
            throw ValueError("\(text.quoted) is not an absolute path; write unix:/run/rowtail/rowtail.sock")
        }
        // `sun_path` has 108 bytes, one of them for the final NUL.
        guard path.utf8.count <= 107, !path.utf8.contains(0) else {
            throw ValueError("\(text.quoted) is longer than a socket's path may be; use at most 107 bytes")
        }
        return path
    }

    /// The name after `systemd:`, within the bounds of systemd.socket(5).
    private static func socketName(_ text: String) throws(ValueError) -> String? {
        guard text != "systemd" else { return nil }
        let name = String(text.dropFirst("systemd:".count))
        guard (1...255).contains(name.utf8.count),
            name.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ":") })
        else {
            throw ValueError(
                "\(text.quoted) has no valid name; write the socket's FileDescriptorName=, or systemd alone"
            )
        }
        return name
    }

    private static func noHost(_ text: String, port: String) -> String {
        "\(text.quoted) has no host; write 127.0.0.1:\(port) for this machine alone, 0.0.0.0:\(port) for every network"
    }
}

extension UInt8 {
    /// An ASCII digit.
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// An ASCII letter of the lower case.
    var isLowercaseLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }

    /// An ASCII letter.
    var isLetter: Bool { isLowercaseLetter || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }

    /// An ASCII letter, digit, `_`, `-` or `.`: what host names and feed names are made of.
    var isInHostName: Bool {
        isLetter || isDigit || [UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(self)
    }

    /// What a cookie's name is made of: a token of HTTP (RFC 9110, section 5.6.2).
    var isInCookieName: Bool { isLetter || isDigit || "!#$%&'*+-.^_`|~".utf8.contains(self) }

    /// What IPv6 addresses are made of, an interface after `%` included.
    var isInIPv6Address: Bool { isInHostName || self == UInt8(ascii: ":") || self == UInt8(ascii: "%") }
}
