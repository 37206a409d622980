// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOPosix

/// A raw HTTP/1 client on a real socket, by TLS or not: sends what it is told, byte for byte, and reads answers and streams.
///
/// One task reads from it. Reading is paused with `reads: false`, as a stalled client does.
package final class StreamClient: FrameReader {
    /// An answer's head.
    package struct Head: Sendable {
        /// The version, status and reason.
        package var statusLine: String
        /// The fields, names in lower case.
        package var fields: [String: String]

        /// The status code.
        package var status: Int { statusLine.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0 }
    }

    /// One block of a stream, as it stands there, not as a browser would report it.
    package struct Frame: Sendable, Equatable {
        /// `id:`; `nil` when there was none.
        package var id: String?
        /// `event:`.
        package var event: String?
        /// `data:`.
        package var data: String?
        /// `retry:`.
        package var retry: Int?
        /// The comments.
        package var comments: [String] = []

        /// Takes in a line that is not empty (WHATWG HTML, section 9.2.6), but for the rule that joins several `data:`.
        mutating func read(_ line: Substring) {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let value = parts.count > 1 ? String(parts[1].first == " " ? parts[1].dropFirst() : parts[1][...]) : ""
            switch parts[0] {
            case "": comments.append(value)
            case "id": id = value
            case "event": event = value
            case "data": data = value
            case "retry": retry = Int(value)
            default: break
            }
        }

        /// A block with these fields.
        package init(
            id: String? = nil,
            event: String? = nil,
            data: String? = nil,
            retry: Int? = nil,
            comments: [String] = []
        ) {
            self.id = id
            self.event = event
            self.data = data
            self.retry = retry
            self.comments = comments
        }
    }

    /// The connection is gone, or was when more was expected.
    package struct Closed: Error {
        /// What came instead of what was expected.
        package var found: String

        /// A connection that is gone, or on which something else came.
        package init(_ found: String = "the end") {
            self.found = found
        }
    }

    private let channel: any Channel
    private let reader: ByteReader
    private let facts: Watched<TLSClient.Facts>

    private init(channel: any Channel, reader: ByteReader, facts: Watched<TLSClient.Facts>) {
        self.channel = channel
        self.reader = reader
        self.facts = facts
    }

    // MARK: - Connecting

    /// Opens a connection.
    ///
    /// Without `reads`, what comes in is left in the kernel until the test asks for it, `readSize` bytes at a time.
    /// `receiveBuffer` is the size of the socket's receive buffer, `nil` for the system's. With `tls` the handshake is over
    /// when this returns.
    package static func connect(
        host: String = "127.0.0.1",
        port: Int,
        tls: TLSClient? = nil,
        reads: Bool = true,
        readSize: Int = 4096,
        receiveBuffer: Int? = nil
    ) async throws -> StreamClient {
        try await connect(tls: tls, reads: reads, readSize: readSize, receiveBuffer: receiveBuffer) {
            $0.connect(host: host, port: port)
        }
    }

    /// Opens a connection to a unix socket.
    package static func connect(unix path: String, reads: Bool = true) async throws -> StreamClient {
        try await connect(tls: nil, reads: reads, readSize: 4096, receiveBuffer: nil) {
            $0.connect(unixDomainSocketPath: path)
        }
    }

    private static func connect(
        tls: TLSClient?,
        reads: Bool,
        readSize: Int,
        receiveBuffer: Int?,
        _ open: (ClientBootstrap) -> EventLoopFuture<any Channel>
    ) async throws -> StreamClient {
        let reader = ByteReader()
        let facts = Watched(TLSClient.Facts())
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: reads || tls != nil)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try tls?.addHandlers(to: channel, facts)
                    try channel.pipeline.syncOperations.addHandler(reader.handler())
                }
            }
        if !reads {
            bootstrap =
                bootstrap
                .channelOption(.maxMessagesPerRead, value: 1)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readSize))
        }
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(receiveBuffer))
        }
        let channel = try await open(bootstrap).get()
        if tls != nil {
            try await TLSClient.handshake(facts)
            try await channel.setOption(.autoRead, value: reads).get()
        }
        await reader.pull(from: reads ? nil : channel)
        return StreamClient(channel: channel, reader: reader, facts: facts)
    }

    /// Opens a stream and reads its head.
    package static func stream(
        port: Int,
        _ path: String,
        tls: TLSClient? = nil,
        lastEventID: String? = nil,
        fields: [String] = []
    ) async throws -> (StreamClient, Head) {
        let client = try await connect(port: port, tls: tls)
        let id = lastEventID.map { ["Last-Event-ID: \($0)"] } ?? []
        try await client.request("GET", path, fields: id + fields)
        return (client, try await client.head())
    }

    // MARK: - Sending

    /// Sends bytes.
    package func send(_ text: String) async throws {
        try await wait(for: channel.writeAndFlush(ByteBuffer(string: text)))
    }

    /// Waits for the channel; a test that runs out of time closes it, or it would wait for ever.
    private func wait(for future: EventLoopFuture<Void>) async throws {
        try await withTaskCancellationHandler {
            try await future.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// Sends a request's head.
    package func request(_ method: String, _ path: String, fields: [String] = []) async throws {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + fields
        try await send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Sends bytes and ends the sending side in one go, so that the peer may see both at once.
    package func sendAndCloseOutput(_ text: String) async throws {
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        try await channel.close(mode: .output).get()
    }

    /// Ends the sending side only.
    package func closeOutput() async throws {
        try await channel.close(mode: .output).get()
    }

    /// Closes the connection.
    package func close() async {
        try? await channel.close().get()
    }

    /// Closes the connection by a reset, as a crashed client's machine does.
    package func reset() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        await close()
    }

    /// Reads on, after `reads: false`.
    package func resumeReading() async throws {
        await reader.pull(from: nil)
        try await channel.setOption(.autoRead, value: true).get()
    }

    /// The serial number of the server's certificate, in hexadecimal digits.
    package var serverSerial: String { facts.value.serial }

    /// The protocol that the server chose by ALPN.
    package var chosenProtocol: String? { facts.value.chosen }

    /// Whether the server said goodbye by TLS before it ended the connection.
    package var sawFarewell: Bool { facts.value.sawFarewell }

    /// The port of this side.
    package var localPort: Int { channel.localAddress?.port ?? 0 }

    // MARK: - Reading

    /// Reads an answer's head.
    package func head() async throws -> Head {
        var lines: [String] = []
        while let line = try await reader.line() {
            if line.isEmpty { break }
            lines.append(line)
        }
        guard let first = lines.first else { throw Closed() }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
            let name = parts[0].lowercased()
            fields[name] = fields[name].map { "\($0), \(value)" } ?? value
        }
        await reader.expectBody(chunked: fields["transfer-encoding"] == "chunked")
        return Head(statusLine: first, fields: fields)
    }

    /// Reads a whole answer with a `Content-Length`.
    package func answer() async throws -> (head: Head, body: String) {
        let head = try await head()
        return (head, try await body(head))
    }

    /// Reads the body that goes with a head with a `Content-Length`.
    package func body(_ head: Head) async throws -> String {
        try await reader.bytes(Int(head.fields["content-length"] ?? "0") ?? 0)
    }

    /// Sends a request and reads its answer; that to HEAD has no body.
    package func ask(
        _ path: String,
        method: String = "GET",
        fields: [String] = []
    ) async throws -> (head: Head, body: String) {
        try await request(method, path, fields: fields)
        guard method != "HEAD" else { return (try await head(), "") }
        return try await answer()
    }

    /// Sends a request on a connection of its own and reads its answer.
    package static func ask(
        port: Int,
        _ path: String,
        tls: TLSClient? = nil,
        method: String = "GET",
        fields: [String] = []
    ) async throws -> (head: Head, body: String) {
        let client = try await connect(port: port, tls: tls)
        let answer = try await client.ask(path, method: method, fields: fields)
        await client.close()
        return answer
    }

    /// Reads everything up to the end of the connection.
    package func rest() async -> String {
        await reader.rest()
    }

    /// Reads the next block of a stream; `nil` at the end of the body or of the connection.
    package func frame() async throws -> Frame? {
        try await reader.frame()
    }

    /// Whether the body came to an end in order: with its final chunk.
    package var endedInOrder: Bool {
        get async { await reader.sawFinalChunk }
    }

    /// Waits until the peer closed the connection, dropping what comes in.
    package func waitForClose() async {
        try? await wait(for: channel.closeFuture)
    }
}
