// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import NIOCore
import NIOPosix
import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ListenerTests {
    private let table = HandFedTable(rows: 3)

    /// Tries to listen, and returns why that fails.
    private func refusal(_ endpoints: Endpoint...) async throws -> String? {
        do {
            try await withServer(feeds: [table.feed], options: .with { $0.endpoints = endpoints }) { _, _ in }
            return nil
        } catch let error as ServerError {
            return error.description
        }
    }

    @Test func `a unix socket serves streams like any other`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        try await withServer(feeds: [table.feed], options: .with { $0.endpoints = [.unix(path: path)] }) { server, _ in
            let client = try await StreamClient.connect(unix: path)
            try await client.request("GET", "/feeds/orders?since=1&limit=3")
            #expect(try await client.head().status == 200)
            #expect(try await client.events(2).map(\.id) == ["2", "3"])
            table.publish()
            #expect(try await client.events(3).map(\.event) == [nil, "rowtail.end"])
            #expect(try await client.ask("/healthz").head.status == 200)
            await server.drain()
            #expect(access(path, F_OK) != 0)
        }
    }

    @Test func `a client of a unix socket that takes nothing is closed after the write timeout`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let table = HandFedTable(rows: 4000, source: InMemoryFeedSource(padding: 1000))
        let options = ServerOptions.with {
            $0.endpoints = [.unix(path: path)]
            $0.limits.writeTimeout = .milliseconds(300)
            $0.heartbeatInterval = .milliseconds(100)
        }
        try await withServer(feeds: [table.feed], options: options) { _, _ in
            let client = try await StreamClient.connect(unix: path, reads: false)
            try await client.request("GET", "/feeds/orders?since=earliest")
            try await eventually { table.feed.subscriberCount == 1 }
            try await eventually { table.feed.subscriberCount == 0 }
            await client.waitForClose()
        }
    }

    @Test func `an end that a client of a unix socket doesn't take is not waited for`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let table = HandFedTable(rows: 5)
        let options = ServerOptions.with {
            $0.endpoints = [.unix(path: path)]
            $0.limits.writeTimeout = .milliseconds(300)
        }
        try await withServer(feeds: [table.feed], options: options) { _, _ in
            let client = try await StreamClient.connect(unix: path, reads: false)
            // Each answer ends a stream; their ends fill the socket.
            let request = "GET /feeds/orders?since=4&limit=1 HTTP/1.1\r\nHost: a\r\n\r\n"
            for _ in 0..<200 { try? await client.send(String(repeating: request, count: 10)) }
            await client.waitForClose()
        }
    }

    @Test func `a socket file that a crash left is replaced`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let crashed = try ForeignListener(path)
        crashed.close()
        #expect(access(path, F_OK) == 0)
        try await withServer(feeds: [table.feed], options: .with { $0.endpoints = [.unix(path: path)] }) { _, _ in
            let client = try await StreamClient.connect(unix: path)
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }

    @Test func `a socket that somebody listens on is theirs`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        try await withServer(feeds: [table.feed], options: .with { $0.endpoints = [.unix(path: path)] }) { _, _ in
            #expect(
                try await refusal(.unix(path: path))
                    == "listen: 'unix:\(path)' is in use by another program; end it or listen elsewhere"
            )
            let client = try await StreamClient.connect(unix: path)
            #expect(try await client.ask("/healthz").head.status == 200)
        }
    }

    @Test func `a socket whose owner is too busy to accept is theirs too`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let owner = try ForeignListener(path)
        try owner.fill()
        let reason = try await refusal(.unix(path: path))
        #expect(reason?.hasPrefix("listen: 'unix:\(path)' is in use") == true)
        #expect(access(path, F_OK) == 0)
        owner.close()
    }

    @Test func `a file that is no socket stays`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let file = try #require(fopen(path, "w"))
        fclose(file)
        #expect(
            try await refusal(.unix(path: path))
                == "listen: 'unix:\(path)' is there and no socket; remove it or listen elsewhere"
        )
        #expect(access(path, F_OK) == 0)
    }

    @Test func `a path that can't be listened on is an error that names it`() async throws {
        let reason = try await refusal(.unix(path: "/nowhere/rowtail.sock"))
        #expect(reason?.hasPrefix("listen: 'unix:/nowhere/rowtail.sock' can't be bound: ") == true)
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(try await refusal(.unix(path: long))?.hasPrefix("listen: 'unix:\(long)' can't be bound: ") == true)
        let address = try await refusal(.tcp(host: "192.0.2.1", port: 80))
        #expect(address?.hasPrefix("listen: '192.0.2.1:80' can't be bound: ") == true)
    }

    @Test func `a port in use is an error that names it, and nothing stays bound`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        try await withServer(feeds: [table.feed]) { _, port in
            let reason = try await refusal(.unix(path: path), .tcp(host: "127.0.0.1", port: port))
            #expect(
                reason
                    == "listen: '127.0.0.1:\(port)' is in use by another program; end it or listen elsewhere"
            )
            #expect(access(path, F_OK) != 0)
            #expect(try await StreamClient.ask(port: port, "/healthz").head.status == 200)
        }
    }

    @Test func `several listeners serve the same feeds`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let options = ServerOptions.with {
            $0.endpoints += [.tcp(host: "::1", port: 0), .unix(path: path), .tcp(host: "localhost", port: 0)]
        }
        let server = try await Server(
            options: options,
            feeds: [table.feed],
            group: group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            replayPages: { 0 }
        )
        let endpoints = try await server.listen()
        var clients: [StreamClient] = []
        for endpoint in endpoints {
            switch endpoint {
            case .tcp(let host, let port):
                #expect(port != 0)
                clients.append(try await StreamClient.connect(host: host, port: port))
            case .unix(let path): clients.append(try await StreamClient.connect(unix: path))
            case .inherited: Issue.record("nothing is inherited")
            }
        }
        #expect(clients.count == 4)
        for client in clients {
            try await client.request("GET", "/feeds/orders")
            _ = try await client.head()
            _ = try await client.frame()
        }
        table.publish()
        for client in clients { #expect(try await client.event()?.id == "4") }
        await server.drain()
        for client in clients { #expect(try await client.event()?.event == "rowtail.end") }
        try await group.shutdownGracefully()
    }
}

/// A unix socket that another program listens on; its file outlives it.
private final class ForeignListener {
    struct Failure: Error {}

    private let listener = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    private var clients: [CInt] = []
    private var address = sockaddr_un()

    init(_ path: String) throws {
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        guard call({ bind(listener, $0, $1) }) == 0, listen(listener, 0) == 0 else { throw Failure() }
    }

    private func call(_ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
        withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// Connects until no more connections are taken.
    func fill() throws {
        for _ in 0..<8 {
            let client = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
            clients.append(client)
            if call({ connect(client, $0, $1) }) != 0, errno == EAGAIN { return }
        }
        throw Failure()
    }

    func close() {
        for descriptor in clients + [listener] { Glibc.close(descriptor) }
    }
}
