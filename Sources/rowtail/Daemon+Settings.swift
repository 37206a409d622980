// SPDX-License-Identifier: Apache-2.0

import RowtailConfig
import RowtailCore
import SQLiteSource
import StreamServer

extension ServerOptions {
    /// What the configuration file says of the server.
    init(_ settings: RowtailConfig, version: String) {
        self.init(
            endpoints: settings.listen.compactMap { address in
                switch address {
                case .tcp(let host, let port): .tcp(host: host, port: port)
                case .unix(let path): .unix(path: path)
                // The server has nothing to open.
                case .activated: nil
                }
            }
        )
        self.version = version
        heartbeatInterval = settings.heartbeatInterval
        retry = settings.retry
        pollInterval = settings.pollInterval
        maxConnectionAge = settings.maxConnectionAge
        drainTimeout = settings.drainTimeout
        limits.streams = settings.limits.streams
        limits.streamsPerAddress = settings.limits.streamsPerAddress
        limits.requestHead = settings.limits.requestHead
        limits.requestTimeout = settings.limits.requestTimeout
        limits.writeTimeout = settings.limits.writeTimeout
        // Tokens that were not read let nobody in.
        if settings.auth.tokensFile != nil { access = AccessList(settings.auth) }
        cors = CORSPolicy(
            allowedOrigins: settings.cors.allowedOrigins,
            allowsCredentials: settings.cors.allowCredentials
        )
    }
}

extension AccessList {
    /// What the file of tokens says of who may read.
    init(_ auth: RowtailConfig.Auth) {
        let tokens = auth.tokens?.entries.map { AccessToken($0.token, feeds: $0.feeds) }
        self.init(tokens ?? [], allowsQueryToken: auth.allowQueryToken)
    }
}

extension WatchedTable {
    /// What the configuration file says of a feed's table.
    init(_ feed: RowtailConfig.Feed, _ settings: RowtailConfig) {
        self.init(
            feed: feed.name,
            table: feed.table,
            mode: feed.mode,
            watermark: feed.watermark,
            key: feed.key,
            settle: feed.settle,
            columns: feed.columns,
            filter: feed.filter,
            jsonColumns: feed.jsonColumns,
            integers: feed.int64,
            pageRows: settings.pageRows,
            pageBytes: settings.pageBytes,
            maxEventBytes: settings.maxEventBytes
        )
    }
}

extension Feed.Options {
    /// What the configuration file says of a feed to its subscribers.
    init(_ feed: RowtailConfig.Feed, _ settings: RowtailConfig) {
        self.init(
            name: feed.name,
            table: feed.table,
            mode: feed.mode,
            start: feed.start,
            onReset: feed.onReset,
            isRetired: feed.retired,
            tailBytes: settings.tailBytes

        )
    }
}
