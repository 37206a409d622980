// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import RowtailCore
import Synchronization

/// `GET /healthz` and `GET /readyz`: whether the process answers, and whether clients get rows.
final class HealthRoutes: Sendable {
    private let drains = Atomic(false)

    /// Whether the daemon is about to end.
    var isDraining: Bool { drains.load(ordering: .relaxed) }

    /// The process answers.
    var alive: ShortAnswer {
        .json(.ok, "{\"status\":\"ok\"}")
    }

    /// Whether every feed is live and was polled with success lately.
    func ready(
        _ feeds: [Feed],
        pollInterval: Duration,
        at now: ContinuousClock.Instant = .now
    ) -> ShortAnswer {
        var isReady = !isDraining
        let patience = max(.seconds(10), pollInterval * 5)
        let states = feeds.filter { !$0.options.isRetired }.map { feed in
            let status = feed.status
            if status.state != .live || status.lastSuccess.map({ now - $0 > patience }) ?? true { isReady = false }
            return "\"\(feed.name)\":\"\(status.state.name)\""
        }
        return .json(
            isReady ? .ok : .serviceUnavailable,
            "{\"ready\":\(isReady),\"feeds\":{\(states.joined(separator: ","))}}"
        )
    }

    /// Says from now on that the daemon isn't ready.
    func drain() {
        drains.store(true, ordering: .relaxed)
    }
}
