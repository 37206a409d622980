// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LimitTests {
    private func refusal(_ port: Int) async throws -> StreamClient.Head {
        let (head, body) = try await StreamClient.ask(port: port, "/feeds/orders")
        #expect(body.contains(#""code":"too_many_streams""#))
        #expect((1...30).contains(Int(head.fields["retry-after"] ?? "") ?? 0))
        return head
    }

    @Test(arguments: [false, true])
    func `a stream over the limit is refused until another one ends`(_ perAddress: Bool) async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(
            feeds: [table.feed],
            options: .with {
                if perAddress { $0.limits.streamsPerAddress = 3 } else { $0.limits.streams = 3 }
            },
            threads: 2
        ) { _, port in
            var clients: [StreamClient] = []
            for _ in 0..<3 {
                clients.append(try await StreamClient.stream(port: port, "/feeds/orders").0)
            }
            #expect(try await refusal(port).status == (perAddress ? 429 : 503))
            // Nothing else is limited, and nobody was evicted.
            #expect(try await StreamClient.ask(port: port, "/readyz").head.status == 200)
            table.publish()
            for client in clients {
                #expect(try await client.event()?.id == "4")
            }
            await clients[1].close()
            try await eventually { table.feed.subscriberCount == 2 }
            let (client, head) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(head.status == 200)
            #expect(try await refusal(port).status == (perAddress ? 429 : 503))
            await client.close()
        }
    }

    @Test func `those turned away are not asked back at the same time`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 0 }) { _, port in
            var waits: Set<String> = []
            for _ in 0..<50 { waits.insert(try await refusal(port).fields["retry-after"] ?? "") }
            #expect(waits.count > 2)
        }
    }

    @Test func `a stream that ended gives its place back, also when its connection stays`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 1 }) { _, port in
            let client = try await StreamClient.connect(port: port)
            for _ in 0..<3 {
                try await client.request("GET", "/feeds/orders?since=1&limit=1")
                #expect(try await client.head().status == 200)
                while try await client.frame() != nil {}
            }
            let (other, head) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(head.status == 200)
            await other.close()
            await client.close()
        }
    }

    @Test func `refused requests take no place`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 1 }) { _, port in
            let client = try await StreamClient.connect(port: port)
            for path in ["?until=head", "?since=9&on_reset=fail", "?x=1", "?since=x"] {
                #expect(try await client.ask("/feeds/orders\(path)").head.status != 200)
            }
            #expect(try await StreamClient.stream(port: port, "/feeds/orders").1.status == 200)
        }
    }

    @Test(arguments: [false, true])
    func `a client that vanished during opening gives its place back`(_ byReset: Bool) async throws {
        let table = HandFedTable(rows: 3, polled: false)
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 1 }) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders")
            try await eventually { try await StreamClient.ask(port: port, "/feeds/orders").head.status == 503 }
            if byReset { try await client.reset() } else { await client.close() }
            table.begin()
            try await eventually {
                let (again, head) = try await StreamClient.stream(port: port, "/feeds/orders")
                await again.close()
                return head.status == 200
            }
        }
    }
}
