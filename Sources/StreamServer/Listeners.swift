// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The sockets that the server listens on.
final class Listeners: Sendable {
    private let channels = Mutex<[(any Channel, Endpoint)]>([])

    /// Remembers one.
    func add(_ channel: any Channel, _ endpoint: Endpoint) {
        channels.withLock { $0.append((channel, endpoint)) }
    }

    /// Hands all over.
    func removeAll() -> [(any Channel, Endpoint)] {
        channels.withLock { channels in
            defer { channels = [] }
            return channels
        }
    }
}
