// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import RowtailCore
import TestSupport

@testable import StreamServer

/// A server without sockets: it is fed with the bytes of one connection after another.
final class ServedBytes {
    private let loop = EmbeddedEventLoop()
    private let fanOut: FanOut
    // Feeds know their listeners weakly.
    private let table = HandFedTable(rows: 3)

    init() {
        ConnectionHandler.prepareCodec()
        let fanOuts = FanOuts()
        let feeds = [table.feed]
        let options = ServerOptions.with {
            // What it answers differs from one time to the next.
            $0.statusPage = false
            $0.cors.allowedOrigins = ["https://a"]
            // Ready for as long as anybody feeds it.
            $0.pollInterval = .seconds(1_000_000)
        }
        let metrics = MetricsRoute(version: "", fanOuts: fanOuts) { 0 }
        let limits = StreamLimits(options.limits)
        let router = Router(
            options: options,
            feeds: feeds,
            limits: limits,
            health: HealthRoutes(),
            metrics: metrics,
            status: StatusRoute(version: "", fanOuts: fanOuts, limits: limits)
        )
        fanOut = FanOut(router, eventLoop: loop)
        fanOuts.add(fanOut)
    }

    /// Feeds a new connection with pieces and the end of input, and returns what was sent on it.
    func answers(to pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        let channel = EmbeddedChannel(loop: loop)
        var sent: [UInt8] = []
        func collect() {
            loop.run()
            while case .some(.some(let buffer)) = try? channel.readOutbound(as: ByteBuffer.self) {
                sent += buffer.readableBytesView
            }
        }
        let handler = ConnectionHandler(fanOut: fanOut)
        try? channel.pipeline.syncOperations.addHandler(handler)
        if let address = try? SocketAddress(ipAddress: "127.0.0.1", port: 1) {
            channel.connect(to: address, promise: nil)
        }
        for piece in pieces where channel.isActive {
            channel.pipeline.fireChannelRead(ByteBuffer(bytes: piece))
            channel.pipeline.fireChannelReadComplete()
            collect()
        }
        if channel.isActive { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        collect()
        _ = try? channel.finish(acceptAlreadyClosed: true)
        collect()
        return sent
    }
}
