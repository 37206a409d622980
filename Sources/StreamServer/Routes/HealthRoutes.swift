// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import RowtailCore
import Synchronization

/// `GET /healthz` and `GET /readyz`: whether the process answers, and whether clients get rows.
final class HealthRoutes: Sendable {
    private let feeds: [Feed]
    private let isDraining = Atomic(false)

    init(feeds: [Feed]) {
        self.feeds = feeds.filter { !$0.options.isRetired }
    }

    /// The process answers.
    var alive: ShortAnswer {
        .json(.ok, "{\"status\":\"ok\"}")
    }

    /// Whether every feed is live and was polled with success lately.
    func ready(at now: ContinuousClock.Instant = .now) -> ShortAnswer {
        var isReady = !isDraining.load(ordering: .relaxed)
        let states = feeds.map { feed in
            let status = feed.status
            let patience = max(.seconds(10), feed.options.pollInterval * 5)
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
        isDraining.store(true, ordering: .relaxed)
    }
}
