// SPDX-License-Identifier: Apache-2.0

package import RowtailCore
package import StreamServer

/// Runs a server that speaks TLS by the shared certificate, for the length of a test.
///
/// The client's `TLSClient` trusts it and offers some protocols.
package func withTLSServer<Result>(
    feeds: [Feed],
    options: ServerOptions = .with { _ in },
    threads: Int = 1,
    protocols: [String] = ["h2"],
    _ body: (_ server: Server, _ port: Int, _ tls: TLSClient) async throws -> Result
) async throws -> Result {
    var options = options
    options.tls = try TestCertificate.shared.get().identity()
    let tls = try TLSClient(protocols: protocols)
    return try await withServer(feeds: feeds, options: options, threads: threads) { server, port in
        try await body(server, port, tls)
    }
}
