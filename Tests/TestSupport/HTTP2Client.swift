// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix

/// An HTTP/2 connection to a server, by TLS.
package final class HTTP2Client: Sendable {
    /// What the server said of the connection as a whole.
    package struct Connection: Sendable {
        /// The GOAWAY frames: the code and the last stream that was or will be answered.
        package var farewells: [(code: Int, last: Int)] = []
        /// Whether the connection is closed.
        package var isClosed = false
    }

    /// What is known of the connection.
    package let state: Watched<Connection>

    private let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

    private init(
        _ channel: any Channel,
        _ multiplexer: NIOHTTP2Handler.StreamMultiplexer,
        _ state: Watched<Connection>
    ) {
        self.channel = channel
        self.multiplexer = multiplexer
        self.state = state
    }

    /// Opens a connection.
    ///
    /// `window` is how many bytes of a stream may wait in this client, and `receiveBuffer` the size of the socket's receive
    /// buffer, `nil` for the system's.
    package static func connect(
        port: Int,
        tls: TLSClient,
        window: Int = 65_535,
        receiveBuffer: Int? = nil
    ) async throws -> HTTP2Client {
        let facts = Watched(TLSClient.Facts())
        let state = Watched(Connection())
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings.append(HTTP2Setting(parameter: .initialWindowSize, value: window))
        // What one stream leaves waiting is not to hold up the others here.
        connection.targetWindowSize = 16 << 20
        // Tests send what no client would.
        connection.headerBlockValidation = .disabled
        connection.contentLengthValidation = .disabled
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = window
        let (connectionConfiguration, streamConfiguration) = (connection, stream)
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try tls.addHandlers(to: channel, facts)
                    let handler = NIOHTTP2Handler(
                        mode: .client,
                        eventLoop: channel.eventLoop,
                        connectionConfiguration: connectionConfiguration,
                        streamConfiguration: streamConfiguration
                    ) { $0.close() }
                    try channel.pipeline.syncOperations.addHandlers([handler, ConnectionWatcher(state)])
                }
            }
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: SocketOptionValue(receiveBuffer))
        }
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
        try await TLSClient.handshake(facts)
        guard facts.value.chosen == "h2" else { throw StreamClient.Closed(facts.value.chosen ?? "no protocol") }
        let multiplexer = try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: NIOHTTP2Handler.self).syncMultiplexer()
        }.get()
        let client = HTTP2Client(channel, multiplexer, state)
        // Streams from before the server knows of another window would never open theirs again, in NIO's client.
        if window != 65_535 { _ = try await client.ask("/healthz") }
        return client
    }

    /// Sends a request's head, and its end unless a body is to follow.
    package func request(
        _ method: String,
        _ path: String,
        fields: [(String, String)] = [],
        ends: Bool = true
    ) async throws -> HTTP2ClientStream {
        let reader = ByteReader()
        let state = Watched(HTTP2ClientStream.State())
        await reader.expectBody(chunked: false)
        let stream = try await multiplexer.createStreamChannel { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(HTTP2StreamWatcher(reader, state))
            }
        }.get()
        var head: HPACKHeaders = [":method": method, ":scheme": "https", ":authority": "localhost", ":path": path]
        for (name, value) in fields { head.add(name: name, value: value) }
        let payload = HTTP2Frame.FramePayload.headers(.init(headers: head, endStream: ends))
        try await stream.writeAndFlush(payload).get()
        return HTTP2ClientStream(channel: stream, reader: reader, state: state)
    }

    /// The port of this end.
    package var localPort: Int { channel.localAddress?.port ?? 0 }

    /// Opens a stream of events and reads its head.
    package func stream(
        _ path: String,
        fields: [(String, String)] = []
    ) async throws -> (HTTP2ClientStream, StreamClient.Head) {
        let stream = try await request("GET", path, fields: fields)
        return (stream, try await stream.head())
    }

    /// Sends a request and reads its answer.
    package func ask(
        _ path: String,
        method: String = "GET",
        fields: [(String, String)] = []
    ) async throws -> (head: StreamClient.Head, body: String) {
        let stream = try await request(method, path, fields: fields)
        return (try await stream.head(), await stream.rest())
    }

    /// Sends some frames that have to be answered, as a flood does; stops where the connection ends.
    package func ping(_ count: Int) async throws {
        try await channel.eventLoop.submit { [channel] in
            for number in 0..<count {
                let data = HTTP2PingData(withInteger: UInt64(number))
                channel.write(HTTP2Frame(streamID: .rootStream, payload: .ping(data, ack: false)), promise: nil)
            }
            channel.flush()
        }.get()
    }

    /// Waits until the server closed the connection.
    package func waitForClose() async throws {
        _ = try await state.until("the end of the connection") { $0.isClosed ? true : nil }
    }

    /// Stops reading from the socket, or goes on.
    package func reads(_ reads: Bool) async throws {
        try await channel.setOption(.autoRead, value: reads).get()
    }

    /// Closes the connection.
    package func close() async {
        try? await channel.close().get()
    }
}

private final class ConnectionWatcher: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let state: Watched<HTTP2Client.Connection>

    init(_ state: Watched<HTTP2Client.Connection>) {
        self.state = state
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .goAway(let last, let code, _) = unwrapInboundIn(data).payload {
            state.update { $0.farewells.append((code.networkCode, Int(last))) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.update { $0.isClosed = true }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
