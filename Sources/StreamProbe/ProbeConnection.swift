// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL

/// Sends one request on a connection of its own and notes what comes of it.
struct ProbeConnection: Sendable {
    private let options: ProbeOptions
    private let context: NIOSSLContext?

    /// Gets ready for requests.
    ///
    /// - Throws: ``ProbeError`` when TLS can't be set up here.
    init(_ options: ProbeOptions) throws {
        self.options = options
        guard options.target.isSecure else {
            context = nil
            return
        }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = options.isHTTP1Only ? ["http/1.1"] : ["h2", "http/1.1"]
        configuration.certificateVerification = options.verifiesCertificate ? .fullVerification : .none
        configuration.shutdownTimeout = .milliseconds(100)
        context = try NIOSSLContext(configuration: configuration)
    }

    /// Asks for a target; the exchange is over when it ends by itself, there is enough of it, or the time is up.
    ///
    /// - Throws: ``ProbeError`` when no connection came about.
    func exchange(
        _ target: ProbeTarget,
        fields: [(String, String)],
        within limit: Duration,
        isEnough: @escaping @Sendable (Exchange, Duration) -> Bool
    ) async throws -> Exchange {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let promise = eventLoop.makePromise(of: Exchange.self)
        let recorder = ExchangeRecorder(promise) { $1 >= limit || isEnough($0, $1) }
        let timer = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(50), delay: .milliseconds(50)) { _ in
            recorder.look()
        }
        let connection = connect(eventLoop)
        connection.flatMap { channel, chosen in
            recorder.connected()
            return chosen == "h2"
                ? self.askByHTTP2(channel, target, fields, recorder)
                : self.askByHTTP1(channel, target, fields, recorder)
        }.whenFailure { recorder.fail($0) }
        defer {
            timer.cancel()
            connection.whenSuccess { channel, _ in channel.close(promise: nil) }
        }
        do {
            return try await promise.futureResult.get()
        } catch {
            throw ConnectionFailure.error(error, options)
        }
    }

    /// Opens a connection; tells the protocol that the server chose by ALPN.
    private func connect(_ eventLoop: any EventLoop) -> EventLoopFuture<(any Channel, String?)> {
        let handshake = eventLoop.makePromise(of: String?.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(options.patience))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let context = self.context else { return }
                    let name = self.isAddress ? nil : self.options.target.host
                    let tls = try NIOSSLClientHandler(context: context, serverHostname: name)
                    try channel.pipeline.syncOperations.addHandlers([tls, HandshakeHandler(handshake)])
                }
            }
        let channel: EventLoopFuture<any Channel>
        if let path = options.unixSocket {
            channel = bootstrap.connect(unixDomainSocketPath: path)
        } else {
            channel = bootstrap.connect(host: options.target.host, port: options.target.port)
        }
        if context == nil { handshake.succeed(nil) }
        channel.whenFailure { handshake.fail($0) }
        return channel.flatMap { channel in
            handshake.futureResult.map { (channel, $0) }
        }
    }

    /// SNI takes no addresses (RFC 6066, section 3).
    private var isAddress: Bool {
        (try? SocketAddress(ipAddress: options.target.host, port: 0)) != nil
    }

    private func askByHTTP1(
        _ channel: any Channel,
        _ target: ProbeTarget,
        _ fields: [(String, String)],
        _ recorder: ExchangeRecorder
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(HTTP1ResponseHandler(recorder))
        }.map {
            let headers = HTTPHeaders([("Host", target.authority)] + fields)
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target.requestTarget, headers: headers)
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }
    }

    private func askByHTTP2(
        _ channel: any Channel,
        _ target: ProbeTarget,
        _ fields: [(String, String)],
        _ recorder: ExchangeRecorder
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture { () -> NIOHTTP2Handler.StreamMultiplexer in
            let handler = NIOHTTP2Handler(
                mode: .client,
                eventLoop: channel.eventLoop,
                connectionConfiguration: .init(),
                streamConfiguration: .init()
            ) { $0.close() }
            try channel.pipeline.syncOperations.addHandler(handler)
            return try handler.syncMultiplexer()
        }.flatMap { multiplexer in
            multiplexer.createStreamChannel { stream in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(HTTP2ResponseHandler(recorder))
                }
            }
        }.map { stream in
            var headers: HPACKHeaders = [
                ":method": "GET", ":scheme": target.scheme, ":authority": target.authority,
                ":path": target.requestTarget,
            ]
            for (name, value) in fields { headers.add(name: name.lowercased(), value: value) }
            let payload = HTTP2Frame.FramePayload.headers(.init(headers: headers, endStream: true))
            stream.writeAndFlush(payload, promise: nil)
        }
    }
}
