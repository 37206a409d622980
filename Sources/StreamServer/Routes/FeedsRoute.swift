// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import RowtailCore

/// `GET /feeds`: what the client may subscribe to, and how it fares.
enum FeedsRoute {
    /// The answer.
    static func answer(_ feeds: [Feed]) -> ShortAnswer {
        .json(.ok, "{\"feeds\":[\(feeds.map(object).joined(separator: ","))]}")
    }

    private static func object(_ feed: Feed) -> String {
        let status = feed.status
        let generation = status.history.current
        let head = EventID(status.head, generation: generation)
        let earliest = EventID(status.earliest, generation: generation)
        let state = feed.options.isRetired ? "retired" : status.state.name
        return """
            {"name":"\(feed.name)","table":\(JSONString.quoted(feed.options.table)),"mode":"\(feed.options.mode.rawValue)",\
            "head":"\(head)","earliest":"\(earliest)","generation":\(generation),"subscribers":\(feed.subscriberCount),\
            "state":"\(state)","last_error":\(status.lastError.map(JSONString.quoted) ?? "null")}
            """
    }
}
