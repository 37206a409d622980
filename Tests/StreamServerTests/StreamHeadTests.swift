// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@testable import StreamServer

@Suite(.timeLimit(.minutes(1)))
struct StreamHeadTests {
    @Test func `a stream's head says what it is and keeps proxies from holding it`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let (_, head) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(head.statusLine == "HTTP/1.1 200 OK")
            #expect(
                head.fields.filter { $0.key != "date" } == [
                    "content-type": "text/event-stream",
                    "cache-control": "no-cache, no-transform",
                    "connection": "keep-alive",
                    "x-accel-buffering": "no",
                    "transfer-encoding": "chunked",
                ]
            )
        }
    }

    @Test func `every answer says when it was made`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let (_, head) = try await StreamClient.stream(port: port, "/feeds/orders")
            let dates = [
                head.fields["date"],
                try await StreamClient.ask(port: port, "/nothing").head.fields["date"],
                try await StreamClient.ask(port: port, "/healthz", method: "HEAD").head.fields["date"],
            ]
            for date in dates {
                #expect(date?.wholeMatch(of: /[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil)
            }
        }
        // The example of RFC 9110, section 5.6.7.
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test func `S2: the first frame is a checkpoint, there before any row`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            let frame = try #require(try await client.frame())
            #expect(frame.id == "3")
            #expect(frame.comments == ["rowtail feed orders"])
            #expect(frame.event == nil && frame.data == nil)
            await client.close()

            // Rows that come while the client is away are there when it resumes with what the checkpoint told it.
            try await eventually { table.feed.subscriberCount == 0 }
            table.advance(2)
            let (again, _) = try await StreamClient.stream(port: port, "/feeds/orders", lastEventID: frame.id)
            #expect(try await again.events(2).map(\.id) == ["4", "5"])
        }
    }

    @Test func `clients are asked to wait for a time of their own before they reconnect`() async throws {
        let table = HandFedTable()
        try await withServer(feeds: [table.feed], options: .with { $0.retry = .seconds(10) }) { _, port in
            var waits: Set<Int> = []
            for _ in 0..<16 {
                let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
                waits.insert(try await client.frame()?.retry ?? 0)
                await client.close()
            }
            #expect(waits.count > 8)
            #expect(waits.allSatisfy { (10_000...15_000).contains($0) })
        }
    }

    @Test func `a feed without rows starts before the first`() async throws {
        let table = HandFedTable()
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await client.frame()?.id == "earliest")
            table.publish()
            #expect(try await client.event() == StreamClient.Frame(id: "1", data: #"{"id":1}"#))
        }
    }

    @Test func `rows go to every stream as they come, the events of all feeds apart`() async throws {
        let orders = HandFedTable("orders", rows: 1)
        let users = HandFedTable("users")
        try await withServer(feeds: [orders.feed, users.feed], threads: 2) { _, port in
            var streams: [(client: StreamClient, ids: [String])] = []
            for index in 0..<8 {
                let path = index.isMultiple(of: 2) ? "/feeds/orders" : "/feeds/users"
                let (client, _) = try await StreamClient.stream(port: port, path)
                streams.append((client, index.isMultiple(of: 2) ? ["2", "3", "4"] : ["1", "2"]))
                _ = try await client.frame()
            }
            orders.publish(2)
            users.publish(2)
            orders.publish()
            for (client, ids) in streams {
                #expect(try await client.events(ids.count).map(\.id) == ids)
            }
        }
    }

    @Test func `every event is a chunk, and the body ends with the last one`() async throws {
        let table = HandFedTable(rows: 2)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders?since=earliest&limit=2", fields: ["Connection: close"])
            _ = try await client.head()
            let body = await client.rest()
            #expect(
                body.hasSuffix(
                    """
                    0016\r\nid: 1\ndata: {"id":1}\n\n\r\n0016\r\nid: 2\ndata: {"id":2}\n\n\r\n\
                    33\r\nevent: rowtail.end\nid: 2\ndata: {"reason":"limit"}\n\n\r\n0\r\n\r\n
                    """
                )
            )
        }
    }
}
