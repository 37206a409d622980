// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Logging
import NIOCore
package import NIOPosix
package import RowtailCore

/// Why the server can't listen.
package struct ServerError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, where, and the remedy.
    package var description: String
}

/// The HTTP server: listeners, and a ``FanOut`` on each event loop.
package final class Server: Sendable {
    /// How many connections the kernel holds until they are accepted, so that a reconnect storm is not turned away.
    private static let backlog: Int32 = 4096

    private let options: ServerOptions
    private let group: MultiThreadedEventLoopGroup
    private let fanOuts = FanOuts()
    private let health: HealthRoutes
    private let logger: Logger
    private let listeners = Listeners()

    /// The endpoints that stopped listening by themselves; a daemon that nobody reaches had better end.
    package var lostListeners: AsyncStream<Endpoint> { listeners.lost }

    /// Makes a server that already follows the feeds, so that they may be polled from now on.
    ///
    /// `replayPages` tells how many pages were read for subscribers behind the tail, for the metric.
    package init(
        options: ServerOptions,
        feeds: [Feed],
        group: MultiThreadedEventLoopGroup,
        logger: Logger,
        replayPages: @escaping @Sendable () -> UInt64
    ) async throws {
        self.options = options
        self.group = group
        self.logger = logger
        ConnectionHandler.prepareCodec()
        health = HealthRoutes(feeds: feeds)
        let metrics = MetricsRoute(
            feeds: feeds,
            version: options.version,
            fanOuts: fanOuts,
            replayPages: replayPages
        )
        let router = Router(options: options, feeds: feeds, health: health, metrics: metrics)
        for eventLoop in group.makeIterator() {
            try await fanOuts.add(router, on: eventLoop)
        }
    }

    // MARK: - Listening

    /// Binds every endpoint.
    ///
    /// - Returns: Where it listens, with the ports that the kernel chose.
    /// - Throws: ``ServerError`` when one can't be bound; then none stays bound.
    @discardableResult
    package func listen() async throws -> [Endpoint] {
        var bound: [Endpoint] = []
        do {
            for endpoint in options.endpoints {
                let channel = try await bind(endpoint)
                listeners.add(channel, at: endpoint)
                if case .tcp(let host, _) = endpoint, let port = channel.localAddress?.port {
                    bound.append(.tcp(host: host, port: port))
                } else {
                    bound.append(endpoint)
                }
            }
        } catch {
            await closeListeners()
            throw error
        }
        for endpoint in bound {
            logger.info("listening", metadata: ["endpoint": "\(endpoint)"])
        }
        return bound
    }

    private func bind(_ endpoint: Endpoint) async throws -> any Channel {
        do {
            switch endpoint {
            case .tcp(let host, let port):
                return try await bootstrap(isTCP: true).bind(host: host, port: port).get()
            case .unix(let path):
                try await removeStaleSocket(path)
                return try await bootstrap(isTCP: false).bind(unixDomainSocketPath: path).get()
            }
        } catch let error as ServerError {
            throw error
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw ServerError(
                description: "listen: '\(endpoint)' is in use by another program; end it or listen elsewhere"
            )
        } catch {
            throw ServerError(description: "listen: '\(endpoint)' can't be bound: \(error); correct 'listen'")
        }
    }

    /// A socket file that nobody listens on is left from a crash; one that somebody listens on is theirs.
    private func removeStaleSocket(_ path: String) async throws {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        guard info.st_mode & S_IFMT == S_IFSOCK else {
            throw ServerError(
                description: "listen: 'unix:\(path)' is there and no socket; remove it or listen elsewhere"
            )
        }
        do {
            let other = try await ClientBootstrap(group: group).connect(unixDomainSocketPath: path).get()
            try? await other.close()
        } catch let error as IOError where error.errnoCode == ECONNREFUSED {
            unlink(path)
            return
        } catch {
            // Such as EAGAIN from a listener whose queue is full: it isn't proven that nobody listens.
        }
        throw ServerError(
            description: "listen: 'unix:\(path)' is in use by another program; end it or listen elsewhere"
        )
    }

    private func bootstrap(isTCP: Bool) -> ServerBootstrap {
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            // Many come at once after a restart.
            .serverChannelOption(.maxMessagesPerRead, value: 256)
            .serverChannelInitializer { [logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    // Out of descriptors: stop accepting for a moment. The listener stays.
                    try channel.pipeline.syncOperations.addHandler(AcceptErrorHandler(logger: logger))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 512))
            .childChannelInitializer { [fanOuts] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let fanOut = fanOuts.current(channel.eventLoop) else { return }
                    try channel.pipeline.syncOperations.addHandler(ConnectionHandler(fanOut: fanOut))
                }
            }
        guard isTCP else { return bootstrap }
        // Accepted sockets inherit these from the listener, at no cost for each.
        bootstrap =
            bootstrap
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Peers that vanish without a word are found by probes, and by bytes that they don't acknowledge.
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 3)
        if let limit = options.limits.writeTimeout {
            let milliseconds = Int(limit / .milliseconds(1))
            bootstrap = bootstrap.serverChannelOption(
                .tcpOption(.init(rawValue: TCP_USER_TIMEOUT)),
                value: milliseconds
            )
        }
        return bootstrap
    }

    // MARK: - Ending

    /// Takes no more connections, ends each stream in order, and waits until they are gone or the time is up.
    package func drain() async {
        health.drain()
        await closeListeners()
        let deadline = NIODeadline.now() + TimeAmount(options.drainTimeout)
        _ = try? await fanOuts.onEach { $0.drain(before: deadline) }.get()
    }

    private func closeListeners() async {
        // A unix socket's file goes with its channel.
        for channel in listeners.removeAll() {
            try? await channel.close()
        }
    }
}
