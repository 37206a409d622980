// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Logging
import NIOCore
package import NIOPosix
package import RowtailCore
import Synchronization

/// Why the server can't listen.
package struct ServerError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, where, and the remedy.
    package var description: String
}

/// The HTTP server: listeners, and a ``FanOut`` on each event loop.
package final class Server: Sendable {
    /// How many connections the kernel holds until they are accepted, so that a reconnect storm is not turned away.
    private static let backlog: Int32 = 4096

    /// How much of what a client sends ahead the kernel holds, at half the size it reserves; heads are small.
    ///
    /// It may have to be read in one go: when a connection fails, everything that it brought is looked at first.
    private static let receiveBuffer: SocketOptionValue = 64 << 10

    private let options: Mutex<ServerOptions>
    private let group: MultiThreadedEventLoopGroup
    private let fanOuts = FanOuts()
    private let limits: StreamLimits
    private let health = HealthRoutes()
    private let metrics: MetricsRoute
    private let status: StatusRoute
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
        self.options = Mutex(options)
        self.group = group
        self.logger = logger
        limits = StreamLimits(options.limits)
        metrics = MetricsRoute(version: options.version, fanOuts: fanOuts, replayPages: replayPages)
        status = StatusRoute(version: options.version, fanOuts: fanOuts, limits: limits)
        ConnectionHandler.prepareCodec()
        let router = router(options, feeds)
        for eventLoop in group.makeIterator() {
            try await fanOuts.add(router, on: eventLoop)
        }
    }

    private func router(_ options: ServerOptions, _ feeds: [Feed]) -> Router {
        Router(options: options, feeds: feeds, limits: limits, health: health, metrics: metrics, status: status)
    }

    /// Whether the server is about to end, or has.
    package var isDraining: Bool { health.isDraining }

    /// Serves something else from now on, all of it or, when this throws, nothing.
    ///
    /// Streams of feeds that are the same objects go on, those of all others end in order. Endpoints that are named as before
    /// go on listening.
    ///
    /// - Throws: ``ServerError`` when an endpoint can't be bound.
    package func reload(options: ServerOptions, feeds: [Feed]) async throws {
        let old = listeners.endpoints
        let gone = old.filter { !options.endpoints.contains($0) }
        do {
            try await bind(options.endpoints.filter { !old.contains($0) })
        } catch  where gone.isEmpty {
            throw error
        } catch {
            // One of the old may be in the way, as with another address on the same port.
            await listeners.close(gone)
            do {
                try await bind(options.endpoints.filter { !old.contains($0) })
            } catch {
                try await bind(gone)
                await accept()
                throw error
            }
        }
        await listeners.close(gone)
        guard !health.isDraining else {
            // The drain that began meanwhile has closed what was there by then.
            await listeners.close(listeners.endpoints)
            return
        }
        self.options.withLock { $0 = options }
        limits.change(options.limits)
        for channel in listeners.channels {
            try? await limitUnacknowledged(channel, options.limits.writeTimeout)
        }
        let router = router(options, feeds)
        _ = try? await fanOuts.onEach { fanOut in
            fanOut.serve(router)
            return fanOut.eventLoop.makeSucceededVoidFuture()
        }.get()
        // Not before: what guards a new endpoint is new as well.
        await accept()
    }

    /// How far the subscriber furthest behind is from its feed's head, in positions, which are rows but for rows that went
    /// away.
    ///
    /// Feeds in mode `updated`, whose positions are times, don't count. It returns when every event loop got round to it.
    package func furthestBehind(of feeds: [Feed]) async throws -> Int {
        let streams = try await fanOuts.snapshot().get()
        // Ids may be as far apart as integers are.
        return feeds.filter { $0.options.mode != .updated }.map { Int(min(streams.lag(of: $0), 1e18)) }.max() ?? 0
    }

    // MARK: - Listening

    /// Binds every endpoint.
    ///
    /// - Returns: Where it listens, with the ports that the kernel chose.
    /// - Throws: ``ServerError`` when one can't be bound; then none stays bound.
    @discardableResult
    package func listen() async throws -> [Endpoint] {
        let bound = try await bind(options.withLock { $0.endpoints })
        await accept()
        return bound
    }

    /// Takes the connections that wait at the sockets.
    private func accept() async {
        for channel in listeners.channels {
            try? await channel.setOption(.autoRead, value: true).get()
        }
    }

    /// Binds endpoints, all or none; connections to them wait until they are accepted.
    @discardableResult
    private func bind(_ endpoints: [Endpoint]) async throws -> [Endpoint] {
        var bound: [Endpoint] = []
        do {
            for endpoint in endpoints {
                let channel = try await bind(endpoint)
                listeners.add(channel, at: endpoint)
                if case .tcp(let host, _) = endpoint, let port = channel.localAddress?.port {
                    bound.append(.tcp(host: host, port: port))
                } else {
                    bound.append(endpoint)
                }
            }
        } catch {
            await listeners.close(endpoints)
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
            case .inherited(let descriptor, let isTCP, _):
                // The original stays open, for another time.
                let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
                guard copy >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
                return try await bootstrap(isTCP: isTCP).withBoundSocket(copy).get()
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
            .serverChannelOption(.autoRead, value: false)
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
                    let pipeline = channel.pipeline.syncOperations
                    // Who connects to a unix socket is on this machine.
                    if isTCP, fanOut.options.tls != nil {
                        try pipeline.addHandlers([FirstByteHandler(fanOut: fanOut), HandshakeHandler(fanOut: fanOut)])
                    } else {
                        try pipeline.addHandler(ConnectionHandler(fanOut: fanOut))
                    }
                }
            }
        guard isTCP else { return bootstrap }
        // Accepted sockets inherit these from the listener, at no cost for each.
        bootstrap =
            bootstrap
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelOption(.socketOption(.so_rcvbuf), value: Self.receiveBuffer)
            // Peers that vanish without a word are found by probes, and by bytes that they don't acknowledge.
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 3)
        return
            bootstrap
            .serverChannelOption(
                Self.unacknowledgedTime,
                value: Self.milliseconds(options.withLock { $0.limits.writeTimeout })
            )
    }

    /// How long bytes may stay unacknowledged, for the connections that are accepted from now on.
    private func limitUnacknowledged(_ listener: any Channel, _ limit: Duration?) async throws {
        guard listener.localAddress?.port != nil else { return }
        try await listener.setOption(Self.unacknowledgedTime, value: Self.milliseconds(limit)).get()
    }

    private static let unacknowledgedTime = ChannelOptions.Types.SocketOption.tcpOption(
        .init(rawValue: TCP_USER_TIMEOUT)
    )

    /// Zero is the system's default; see tcp(7).
    private static func milliseconds(_ limit: Duration?) -> Int {
        Int((limit ?? .zero) / .milliseconds(1))
    }

    // MARK: - Ending

    /// Takes no more connections, ends each stream in order, and waits until they are gone or the time is up.
    package func drain() async {
        health.drain()
        // What was accepted may still be on its way from the listener's event loop to its own and back, and a connection that
        // comes back to a closed listener is cut off. The others stay in the queue of a socket that systemd holds.
        for channel in listeners.channels { try? await channel.setOption(.autoRead, value: false).get() }
        for _ in 0..<3 { _ = try? await fanOuts.onEach { $0.eventLoop.makeSucceededVoidFuture() }.get() }
        await listeners.close(listeners.endpoints)
        let deadline = NIODeadline.now() + TimeAmount(options.withLock(\.drainTime))
        _ = try? await fanOuts.onEach { $0.drain(before: deadline) }.get()
    }
}
