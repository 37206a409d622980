// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The sockets that the server listens on.
final class Listeners: Sendable {
    private struct Listener {
        var endpoint: Endpoint
        var channel: any Channel
    }

    private let all = Mutex<[Listener]>([])
    private let continuation: AsyncStream<Endpoint>.Continuation

    /// The endpoints whose sockets were closed by somebody else: some errors of `accept(2)` end a listener.
    let lost: AsyncStream<Endpoint>

    init() {
        (lost, continuation) = AsyncStream.makeStream(of: Endpoint.self)
    }

    /// The endpoints that are listened on, as the configuration names them.
    var endpoints: [Endpoint] {
        all.withLock { $0.map(\.endpoint) }
    }

    /// The sockets.
    var channels: [any Channel] {
        all.withLock { $0.map(\.channel) }
    }

    /// Remembers one.
    func add(_ channel: any Channel, at endpoint: Endpoint) {
        all.withLock { $0.append(Listener(endpoint: endpoint, channel: channel)) }
        channel.closeFuture.whenComplete { [weak self] _ in self?.closed(channel, at: endpoint) }
    }

    private func closed(_ channel: any Channel, at endpoint: Endpoint) {
        let wasOurs = all.withLock { all in
            let before = all.count
            all.removeAll { $0.channel === channel }
            return all.count < before
        }
        if wasOurs { continuation.yield(endpoint) }
    }

    /// Closes those of some endpoints; a unix socket's file goes with its channel.
    func close(_ endpoints: [Endpoint]) async {
        let closing = all.withLock { all in
            let closing = all.filter { endpoints.contains($0.endpoint) }
            all.removeAll { endpoints.contains($0.endpoint) }
            return closing
        }
        for listener in closing {
            try? await listener.channel.close()
        }
    }
}
