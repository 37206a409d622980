// SPDX-License-Identifier: Apache-2.0

import EventStream
import RowtailCore

/// What a request for a stream asks of one feed; a request may name several, with commas between them.
struct StreamRequest: Sendable {
    let feed: Feed
    /// What is asked of this feed.
    let query: StreamQuery
    /// How many events are to come of all feeds together, when there are several; `nil` for all.
    let sharedLimit: Int?

    /// The names of the feeds in a path, without what comes before them.
    ///
    /// Percent-escapes are decoded, as many clients escape commas in a path.
    static func feedNames(_ path: Substring) -> [String] {
        // Without escapes that make sense it is no feed's name either.
        let text = (try? StreamQuery.decoded(path.replacing("+", with: "%2B"))) ?? String(path)
        return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// Refuses to send a feed's events twice, with one id.
    ///
    /// - Throws: ``RequestError`` when a feed is named twice.
    static func requireDistinct(_ names: [String]) throws {
        var seen: Set<String> = []
        if let twice = names.first(where: { !seen.insert($0).inserted }) {
            throw RequestError(.badRequest, "feed '\(twice.prefix(200))' is named twice; name each feed once")
        }
    }

    /// Reads what a request asks of each of its feeds.
    ///
    /// - Throws: `StreamQueryError`.
    static func all(of feeds: [Feed], query: Substring, lastEventID: String?) throws -> [StreamRequest] {
        let names = feeds.map(\.name)
        return try feeds.map { feed in
            let scope = feeds.count > 1 ? CombinedID.Scope(feed: feed.name, feeds: names) : nil
            var query = try StreamQuery(query: query, lastEventID: lastEventID, scope: scope)
            guard scope != nil else { return StreamRequest(feed: feed, query: query, sharedLimit: nil) }
            let limit = query.limit
            query.limit = nil
            return StreamRequest(feed: feed, query: query, sharedLimit: limit)
        }
    }
}
