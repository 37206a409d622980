// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HeartbeatTests {
    @Test func `an idle stream gets comments`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=2")
            _ = try await client.events(1)
            for _ in 0..<3 {
                #expect(try await client.frame() == StreamClient.Frame(comments: ["heartbeat"]))
            }
        }
    }

    @Test func `a stream with rows gets no comments`() async throws {
        let table = HandFedTable(rows: 3)
        let interval = Duration.milliseconds(400)
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = interval }) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await client.frame()
            var last = ContinuousClock.now
            let start = last
            var gap = Duration.zero
            var comments = 0
            while ContinuousClock.now - start < interval * 3 {
                table.publish()
                while let frame = try await client.frame(), frame.data == nil { comments += 1 }
                gap = max(gap, ContinuousClock.now - last)
                last = .now
            }
            // A machine that stood still for so long had an idle stream.
            #expect(comments == 0 || gap >= interval / 2)
        }
    }

    @Test func `rows passed over move the client's cursor with the next heartbeat`() async throws {
        let table = HandFedTable(rows: 3, source: InMemoryFeedSource { $0.isMultiple(of: 10) })
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await client.frame()?.id == "3")
            table.publish(4)
            while let frame = try await client.frame() {
                guard let id = frame.id else { continue }
                #expect(id == "7")
                #expect(frame.data == nil && frame.event == nil)
                break
            }
            // Only once.
            #expect(try await client.frame() == StreamClient.Frame(comments: ["heartbeat"]))
            #expect(try await client.frame() == StreamClient.Frame(comments: ["heartbeat"]))
            table.publish(5)
            #expect(try await client.event()?.id == "10")
            while let frame = try await client.frame() {
                guard let id = frame.id else { continue }
                #expect(id == "12")
                break
            }
        }
    }

    @Test func `rows passed over in the table move the client's cursor too`() async throws {
        let table = HandFedTable(rows: 500, source: InMemoryFeedSource(pageRows: 50) { $0 == 7 })
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest")
            var ids: [String] = []
            while ids.last != "500", let frame = try await client.frame() {
                if let id = frame.id { ids.append(id) }
            }
            #expect(ids == ["earliest", "7", "500"])
        }
    }
}
