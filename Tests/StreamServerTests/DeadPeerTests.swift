// SPDX-License-Identifier: Apache-2.0

import Glibc
import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct DeadPeerTests {
    /// The socket of this process whose other end is at a port of this machine.
    private func socket(connectedTo port: Int) throws -> CInt {
        for descriptor in CInt(3)..<4096 {
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
            }
            if result == 0, address.sin_family == AF_INET, Int(UInt16(bigEndian: address.sin_port)) == port {
                return descriptor
            }
        }
        throw StreamClient.Closed()
    }

    private func option(_ descriptor: CInt, _ level: CInt, _ name: CInt) -> CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        #expect(getsockopt(descriptor, level, name, &value, &length) == 0)
        return value
    }

    @Test func `S5: the kernel looks for peers that vanished`() async throws {
        let table = HandFedTable(rows: 3)
        let options = ServerOptions.with { $0.limits.writeTimeout = .milliseconds(12_345) }
        try await withServer(feeds: [table.feed], options: options) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            let descriptor = try socket(connectedTo: client.localPort)
            #expect(option(descriptor, SOL_SOCKET, SO_KEEPALIVE) == 1)
            #expect(option(descriptor, CInt(IPPROTO_TCP), TCP_KEEPIDLE) == 30)
            #expect(option(descriptor, CInt(IPPROTO_TCP), TCP_KEEPINTVL) == 10)
            #expect(option(descriptor, CInt(IPPROTO_TCP), TCP_KEEPCNT) == 3)
            #expect(option(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT) == 12_345)
            #expect(option(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY) == 1)
        }
    }

    /// Has the kernel give up soon on a client of this process that takes nothing, long before the server would.
    private func giveUpSoon(on port: Int) async throws {
        var milliseconds: CInt = 200
        let length = socklen_t(MemoryLayout<CInt>.size)
        try await eventually { (try? socket(connectedTo: port)) != nil }
        let descriptor = try socket(connectedTo: port)
        #expect(setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds, length) == 0)
    }

    private func expectWriteTimeouts(_ count: Int, port: Int, _ tls: TLSClient? = nil) async throws {
        let client = try await StreamClient.connect(port: port, tls: tls)
        try await eventually {
            let figures = try await client.ask("/metrics").body
            try #require(figures.contains("rowtail_stream_closed_total{reason=\"client\"} 0\n"))
            return figures.contains("rowtail_stream_closed_total{reason=\"write_timeout\"} \(count)\n")
        }
    }

    /// Two feeds of rows that fill a socket.
    private let full = ["orders", "users"].map {
        HandFedTable($0, rows: 4000, source: InMemoryFeedSource(feed: $0, pageRows: 100, padding: 1000)).feed
    }

    @Test(arguments: ["/feeds/orders", "/feeds/orders,users"], [false, true])
    func `a client counts as one that took nothing also where the kernel is first`(
        _ path: String,
        _ isSecure: Bool
    ) async throws {
        func expect(_ port: Int, _ tls: TLSClient?) async throws {
            let client = try await StreamClient.connect(port: port, tls: tls, reads: false, receiveBuffer: 4096)
            try await giveUpSoon(on: client.localPort)
            try await client.request("GET", "\(path)?since=earliest")
            try await expectWriteTimeouts(1, port: port, tls)
        }
        guard isSecure else {
            return try await withServer(feeds: full) { _, port in try await expect(port, nil) }
        }
        try await withTLSServer(feeds: full, protocols: []) { _, port, tls in try await expect(port, tls) }
    }

    @Test func `each stream of an HTTP-2 connection that took nothing counts`() async throws {
        try await withTLSServer(feeds: full) { _, port, tls in
            let client = try await HTTP2Client.connect(port: port, tls: tls, window: 1 << 20, receiveBuffer: 4096)
            try await client.reads(false)
            try await giveUpSoon(on: client.localPort)
            for path in ["/feeds/orders", "/feeds/users", "/feeds/orders,users"] {
                _ = try await client.request("GET", "\(path)?since=earliest")
            }
            try await expectWriteTimeouts(3, port: port, try TLSClient())
        }
    }

    /// A socket that is connected to a port of this machine.
    private static func connected(to port: Int) -> CInt {
        let descriptor = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(result == 0)
        return descriptor
    }

    private static func ask(_ descriptor: CInt, _ path: String) {
        let request = Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        #expect(send(descriptor, request, request.count, 0) == request.count)
    }

    @Test(arguments: ["/feeds/orders", "/feeds/orders,users"])
    func `peers that are gone when the first bytes are sent leave nothing behind`(_ path: String) async throws {
        let (orders, users) = (HandFedTable("orders", rows: 3), HandFedTable("users", rows: 3))
        try await withServer(feeds: [orders.feed, users.feed]) { _, port in
            // Of many at a time some are reset between the read of their request and the answer.
            for _ in 0..<20 {
                let descriptors = (0..<64).map { _ in Self.connected(to: port) }
                for descriptor in descriptors {
                    var abortive = linger(l_onoff: 1, l_linger: 0)
                    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abortive, socklen_t(MemoryLayout<linger>.size))
                    Self.ask(descriptor, path)
                }
                for descriptor in descriptors { Glibc.close(descriptor) }
            }
            try await eventually {
                let status = try await StreamClient.ask(port: port, "/status").body
                return status.contains("\"streams\":0,")
            }
            #expect(orders.feed.subscriberCount + users.feed.subscriberCount == 0)
        }
    }

    /// Makes a socket forget its connection when it is closed, as if its machine were gone; takes a privilege.
    private static func repair(_ descriptor: CInt) -> Bool {
        var on: CInt = 1
        return setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_REPAIR, &on, socklen_t(MemoryLayout<CInt>.size)) == 0
    }

    private static let canRepair: Bool = {
        let descriptor = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        return repair(descriptor)
    }()

    @Test(.enabled(if: canRepair, "takes CAP_NET_ADMIN"))
    func `S5: a peer that vanished without a word is found by the heartbeat`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(300) }) {
            _,
            port in
            let descriptor = Self.connected(to: port)
            Self.ask(descriptor, "/feeds/orders")
            try await eventually { table.feed.subscriberCount == 1 }
            #expect(Self.repair(descriptor))
            Glibc.close(descriptor)
            try await eventually { table.feed.subscriberCount == 0 }
        }
    }
}
