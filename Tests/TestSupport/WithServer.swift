// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOPosix
package import RowtailCore
package import StreamServer

/// Runs a server on a port that the kernel chooses, for the length of a test.
package func withServer<Result>(
    feeds: [Feed],
    configure: (inout ServerOptions) -> Void = { _ in },
    threads: Int = 1,
    _ body: (_ server: Server, _ port: Int) async throws -> Result
) async throws -> Result {
    var options = ServerOptions(endpoints: [.tcp(host: "127.0.0.1", port: 0)])
    options.drainTimeout = .seconds(2)
    configure(&options)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    do {
        let server = try await Server(
            options: options,
            feeds: feeds,
            group: group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            replayPages: { 0 }
        )
        let endpoints = try await server.listen()
        var port = 0
        if case .tcp(_, let chosen)? = endpoints.first { port = chosen }
        let result = try await body(server, port)
        await server.drain()
        try await group.shutdownGracefully()
        return result
    } catch {
        try? await group.shutdownGracefully()
        throw error
    }
}
