// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The sockets that the server listens on.
final class Listeners: Sendable {
    private let channels = Mutex<[any Channel]>([])

    /// Remembers one.
    func add(_ channel: any Channel) {
        channels.withLock { $0.append(channel) }
    }

    /// Hands all over.
    func removeAll() -> [any Channel] {
        channels.withLock { channels in
            defer { channels = [] }
            return channels
        }
    }
}
