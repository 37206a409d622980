// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts streams against the limits, over all event loops.
///
/// At a limit a request is refused; no stream is evicted for another, or the evicted client would come back and evict
/// the next.
final class StreamLimits: Sendable {
    /// What a request for a stream is told.
    enum Admission {
        case admitted
        case tooMany
        case tooManyOfAddress
    }

    private struct Counts {
        var limits: ServerOptions.Limits
        var total = 0
        var byAddress: [String: Int] = [:]
    }

    private let counts: Mutex<Counts>

    init(_ limits: ServerOptions.Limits) {
        counts = Mutex(Counts(limits: limits))
    }

    /// Goes by other limits for the streams to come.
    func change(_ limits: ServerOptions.Limits) {
        counts.withLock { $0.limits = limits }
    }

    /// How many streams there are, and may be; `nil` for no limit.
    var use: (streams: Int, limit: Int?) {
        counts.withLock { ($0.total, $0.limits.streams) }
    }

    /// Counts a stream in, if it may.
    func admit(_ address: String?) -> Admission {
        counts.withLock { counts in
            if let limit = counts.limits.streams, counts.total >= limit { return .tooMany }
            if let address {
                // Counted without a limit as well, as one may be set while they are open.
                let limit = counts.limits.streamsPerAddress ?? .max
                guard counts.byAddress[address, default: 0] < limit else { return .tooManyOfAddress }
                counts.byAddress[address, default: 0] += 1
            }
            counts.total += 1
            return .admitted
        }
    }

    /// Counts a stream out.
    func release(_ address: String?) {
        counts.withLock { counts in
            counts.total -= 1
            guard let address, let count = counts.byAddress[address] else { return }
            counts.byAddress[address] = count > 1 ? count - 1 : nil
        }
    }
}
