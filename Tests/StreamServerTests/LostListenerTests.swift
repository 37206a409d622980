// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import StreamServer

@Suite(.timeLimit(.minutes(1))) struct LostListenerTests {
    private func bind() async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).get()
    }

    @Test func `a listener that somebody else closes is told of, and one that is given up is not`() async throws {
        let listeners = Listeners()
        let given = try await bind()
        listeners.add(given, at: .unix(path: "/given/up"))
        await listeners.close([.unix(path: "/given/up")])
        #expect(!given.isActive)
        let lost = try await bind()
        listeners.add(lost, at: .unix(path: "/lost"))
        try await lost.close()
        var iterator = listeners.lost.makeAsyncIterator()
        #expect(await iterator.next() == .unix(path: "/lost"))
        #expect(listeners.endpoints.isEmpty)
    }
}
