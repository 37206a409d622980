// SPDX-License-Identifier: Apache-2.0

/// What a probe is told.
package struct ProbeOptions: Sendable {
    /// The URL.
    package var target: ProbeTarget

    /// Sent as `Authorization: Bearer`, and never shown; `nil` for none.
    package var token: String?

    /// How long the stream is watched at most.
    package var duration: Duration = .seconds(20)

    /// Whether the server's certificate has to be good.
    package var verifiesCertificate = true

    /// Whether HTTP/2 is not offered.
    package var isHTTP1Only = false

    /// The socket to connect to in place of the URL's host; `nil` for the host.
    package var unixSocket: String?

    /// How the probe calls itself in `User-Agent`.
    package var agent = "rowtail-probe"

    /// How long a connection, and an answer that ought to come at once, may take at most.
    var patience: Duration { min(duration, .seconds(10)) }

    /// What a probe does unless told otherwise.
    package init(_ target: ProbeTarget) {
        self.target = target
    }
}
