// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL
import NIOTLS
import StreamServer

/// How a test's client comes by TLS: whom it trusts, and what it wants to speak.
package struct TLSClient: Sendable {
    /// What a client learns of its connection.
    struct Facts: Sendable {
        /// Whether the handshake is over, or failed.
        var isOver = false
        var error: String?
        /// The protocol that the server chose.
        var chosen: String?
        /// The serial number of its certificate.
        var serial = ""
        /// Whether the server said goodbye.
        var sawFarewell = false
        /// Whether the connection ended without a goodbye.
        var wasCut = false
    }

    private let context: NIOSSLContext

    /// Trusts a certificate, the shared one unless told otherwise, and offers protocols by ALPN; none by default.
    package init(_ certificate: TestCertificate? = nil, protocols: [String] = []) throws {
        let certificate = try certificate ?? TestCertificate.shared.get()
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(certificate.files.certificate))
        configuration.applicationProtocols = protocols
        // A test closes a connection whose server may be stalled.
        configuration.shutdownTimeout = .milliseconds(100)
        context = try NIOSSLContext(configuration: configuration)
    }

    /// Puts TLS into a pipeline.
    func addHandlers(to channel: any Channel, _ facts: Watched<Facts>) throws {
        let handler = try NIOSSLClientHandler(context: context, serverHostname: "localhost")
        try channel.pipeline.syncOperations.addHandlers([handler, HandshakeWatcher(facts)])
    }

    /// Waits for the end of the handshake.
    static func handshake(_ facts: Watched<Facts>) async throws {
        let error = try await facts.until("the end of the handshake") { $0.isOver ? .some($0.error) : nil }
        if let error { throw StreamClient.Closed(error) }
    }
}

private final class HandshakeWatcher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let facts: Watched<TLSClient.Facts>

    init(_ facts: Watched<TLSClient.Facts>) {
        self.facts = facts
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let name):
            let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
            let serial = (certificate?.serialNumber ?? []).map { byte in
                let digits = String(byte, radix: 16, uppercase: true)
                return byte < 16 ? "0\(digits)" : digits
            }
            facts.update { facts in
                facts.isOver = true
                facts.chosen = name
                facts.serial = serial.joined()
            }
        case ChannelEvent.inputClosed:
            facts.update { $0.sawFarewell = !$0.wasCut }
        default:
            break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("the end")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail("\(error)")
        context.fireErrorCaught(error)
    }

    private func fail(_ error: String) {
        facts.update { facts in
            facts.wasCut = !facts.sawFarewell
            if !facts.isOver { facts.error = error }
            facts.isOver = true
        }
    }
}
