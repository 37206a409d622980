// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The sockets that the server listens on.
final class Listeners: Sendable {
    private let channels = Mutex<[any Channel]>([])
    private let continuation: AsyncStream<Endpoint>.Continuation

    /// The endpoints whose sockets were closed by somebody else: some errors of `accept(2)` end a listener.
    let lost: AsyncStream<Endpoint>

    init() {
        (lost, continuation) = AsyncStream.makeStream(of: Endpoint.self)
    }

    /// Remembers one.
    func add(_ channel: any Channel, at endpoint: Endpoint) {
        channels.withLock { $0.append(channel) }
        channel.closeFuture.whenComplete { [weak self] _ in self?.closed(channel, at: endpoint) }
    }

    private func closed(_ channel: any Channel, at endpoint: Endpoint) {
        let wasOurs = channels.withLock { channels in
            let before = channels.count
            channels.removeAll { $0 === channel }
            return channels.count < before
        }
        if wasOurs { continuation.yield(endpoint) }
    }

    /// Hands all over.
    func removeAll() -> [any Channel] {
        channels.withLock { channels in
            defer { channels = [] }
            return channels
        }
    }
}
