// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
package import NIOPosix
package import RowtailCore
package import StreamServer

/// Runs a server on a port that the kernel chooses, for the length of a test.
///
/// The event loops are `group` where the test has some of its own, which end with the server.
package func withServer<Result>(
    feeds: [Feed],
    options: ServerOptions = .with { _ in },
    threads: Int = 1,
    group: MultiThreadedEventLoopGroup? = nil,
    _ body: (_ server: Server, _ port: Int) async throws -> Result
) async throws -> Result {
    let group = group ?? MultiThreadedEventLoopGroup(numberOfThreads: threads)
    do {
        let server = try await Server(
            options: options,
            feeds: feeds,
            group: group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            replayPages: { feeds.reduce(0) { $0 + UInt64(($1.source as? InMemoryFeedSource)?.pagesRead ?? 0) } }
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

extension ServerOptions {
    /// The options of a test's server, on a port that the kernel chooses unless the test says otherwise.
    package static func with(_ change: (inout ServerOptions) -> Void) -> ServerOptions {
        var options = ServerOptions(endpoints: [.tcp(host: "127.0.0.1", port: 0)])
        options.drainTimeout = .seconds(2)
        // A feed that nobody polls stays ready for five intervals, and tests may stand still for a while.
        options.pollInterval = .seconds(60)
        // What was sent may wait for a slow reader in the kernel while its connection counts as idle.
        options.limits.requestTimeout = .seconds(60)
        change(&options)
        return options
    }
}

/// Waits until something is so that nobody announces, asking every two milliseconds.
///
/// - Throws: ``NotInTime`` with the place of the call after 50 seconds, before the test's time limit would say less.
package func eventually(
    file: String = #fileID,
    line: Int = #line,
    _ isSo: () async throws -> Bool
) async throws {
    try await eventually("\(file):\(line)", within: .seconds(50), every: .milliseconds(2)) {
        try await isSo() ? true : nil
    }
}
