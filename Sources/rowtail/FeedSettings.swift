// SPDX-License-Identifier: Apache-2.0

import RowtailConfig
import RowtailCore
import SQLiteSource

/// Everything that a feed is made from: as long as it stays the same, its streams go on over a reload.
struct FeedSettings: Hashable {
    /// What is polled on one connection.
    struct File: Hashable {
        var database: String
        var stateDirectory: String?
    }

    var watched: WatchedTable
    var options: Feed.Options
    var file: File

    /// What the configuration file says of a feed.
    init(_ feed: RowtailConfig.Feed, _ settings: RowtailConfig) {
        watched = WatchedTable(feed, settings)
        options = Feed.Options(feed, settings)
        file = File(database: feed.database, stateDirectory: settings.stateDirectory)
    }
}
