// SPDX-License-Identifier: Apache-2.0

import RowtailConfig
import RowtailCore
import SQLiteSource
import ServiceManager
import StreamServer

extension ServerOptions {
    /// What the configuration file says of the server.
    ///
    /// - Throws: `SocketActivation.Failure` when a socket is wanted that was not handed over, `ServerError` when the
    ///   certificate can't be used.
    init(_ settings: RowtailConfig, activation: SocketActivation, version: String) throws {
        let opened: [Endpoint] = settings.listen.compactMap { address in
            switch address {
            case .tcp(let host, let port): .tcp(host: host, port: port)
            case .unix(let path): .unix(path: path)
            case .activated: nil
            }
        }
        let inherited = try settings.activatedSockets(activation).map { socket in
            let name = "systemd:\(socket.name) \(socket)"
            return Endpoint.inherited(descriptor: socket.descriptor, isTCP: socket.isTCP, name: name)
        }
        self.init(endpoints: opened + inherited)
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
        tls = try settings.tlsIdentity()
        cors = CORSPolicy(
            allowedOrigins: settings.cors.allowedOrigins,
            allowsCredentials: settings.cors.allowCredentials
        )
        statusPage = settings.statusPage
    }
}

extension RowtailConfig {
    /// The sockets that `listen` wants of those that were handed over, each once.
    ///
    /// - Throws: `SocketActivation.Failure` when there is none that is wanted.
    func activatedSockets(_ activation: SocketActivation) throws -> [ActivatedSocket] {
        var sockets: [ActivatedSocket] = []
        for case .activated(let name) in listen {
            for socket in try activation.sockets(named: name)
            where !sockets.contains(where: { $0.descriptor == socket.descriptor }) {
                sockets.append(socket)
            }
        }
        return sockets
    }
}

extension RowtailConfig {
    /// The certificate and its key, if there are to be any.
    ///
    /// - Throws: `ServerError` when they can't be used.
    func tlsIdentity() throws -> TLSIdentity? {
        try tls.map { try TLSIdentity(TLSFiles(certificate: $0.certificate, privateKey: $0.privateKey)) }
    }
}

extension LogSettings.Format {
    /// The format as the configuration names it.
    init(_ format: RowtailConfig.Log.Format) {
        self = format == .json ? .json : .text
    }
}

extension AccessList {
    /// What the file of tokens says of who may read.
    init(_ auth: RowtailConfig.Auth) {
        let tokens = auth.tokens?.entries.map { AccessToken($0.token, feeds: $0.feeds) }
        self.init(tokens ?? [], allowsQueryToken: auth.allowQueryToken, cookie: auth.cookie)
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
            event: feed.event,
            start: feed.start,
            onReset: feed.onReset,
            isRetired: feed.retired,
            tailBytes: settings.tailBytes
        )
    }
}
