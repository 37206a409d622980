// SPDX-License-Identifier: Apache-2.0

/// Where the server listens.
package enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A host name or address, and a port; 0 lets the kernel choose.
    case tcp(host: String, port: Int)

    /// A unix socket at a path.
    case unix(path: String)

    /// A socket that listens already, such as one of systemd's, with a name for it; it stays open when this doesn't listen.
    case inherited(descriptor: CInt, isTCP: Bool, name: String)

    /// The endpoint as it stands in the configuration.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(_, _, let name): name
        }
    }
}

/// What the configuration says of the server.
package struct ServerOptions: Sendable {
    /// Bounds on what clients may take.
    package struct Limits: Sendable {
        /// Streams in all; `nil` for no limit.
        package var streams: Int? = 10_000

        /// Streams of one address; `nil` for no limit.
        ///
        /// Unix sockets have no address.
        package var streamsPerAddress: Int?

        /// The size of a request's head in bytes.
        package var requestHead = 16 << 10

        /// How long a request's head may take, and a connection may wait for its next; `nil` for ever.
        package var requestTimeout: Duration? = .seconds(10)

        /// How long a client may take none of the bytes that wait for it; `nil` for ever.
        package var writeTimeout: Duration? = .seconds(60)

        /// The defaults.
        package init() {}
    }

    /// Where to listen, at least one.
    package var endpoints: [Endpoint]

    /// The certificate for TCP listeners, which then speak TLS only; `nil` for plain HTTP.
    ///
    /// Unix sockets are always plain.
    package var tls: TLSIdentity?

    /// How long a stream is idle before a comment is sent on it.
    package var heartbeatInterval: Duration = .seconds(15)

    /// How long clients are asked to wait before they reconnect, at least; up to half as much is added at random.
    package var retry: Duration = .seconds(3)

    /// When streams are ended so that they reconnect; `nil` for never.
    package var maxConnectionAge: Duration?

    /// How long ending streams may take at shutdown.
    package var drainTimeout: Duration = .seconds(5)

    /// How often the tables are polled, which says how long ago a feed that is ready was polled with success.
    package var pollInterval: Duration = .seconds(1)

    /// Bounds on what clients may take.
    package var limits = Limits()

    /// Who may read; `nil` for everybody.
    package var access: AccessList?

    /// Which web pages may read.
    package var cors = CORSPolicy()

    /// Whether the status page is served, and what it shows.
    package var statusPage = true

    /// How long streams have to end, so that what is left by then can be closed in time.
    var drainTime: Duration {
        tls == nil ? drainTimeout : max(drainTimeout - TLSIdentity.farewell, drainTimeout / 2)
    }

    /// The version in `rowtail_build_info`.
    package var version = ""

    /// The defaults for some endpoints.
    package init(endpoints: [Endpoint]) {
        self.endpoints = endpoints
    }
}
