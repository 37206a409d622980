// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StreamEndTests {
    /// Reads a stream to its end: the ids of its rows and the last frame.
    private func readAll(_ client: StreamClient) async throws -> (ids: [String?], last: StreamClient.Frame?) {
        var events: [StreamClient.Frame] = []
        while let event = try await client.event() { events.append(event) }
        let last = events.popLast()
        return (events.map(\.id), last)
    }

    @Test(
        arguments: [
            ("since=earliest&limit=1", 1...1, "limit"),
            ("since=3&limit=2", 4...5, "limit"),
            ("since=earliest&limit=10", 1...10, "limit"),
            ("since=earliest&until=head", 1...10, "head"),
            ("since=9&until=head", 10...10, "head"),
            ("since=-3&until=head&limit=5", 8...10, "head"),
            ("since=-3&until=head&limit=3", 8...10, "limit"),
            ("since=-3&until=head&limit=2", 8...9, "limit"),
        ]
    )
    func `a finite stream ends after the last event with its reason`(
        _ query: String,
        _ rows: ClosedRange<Int>,
        _ reason: String
    ) async throws {
        let table = HandFedTable(rows: 10, source: InMemoryFeedSource(pageRows: 3))
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?\(query)")
            let (ids, last) = try await readAll(client)
            #expect(ids == rows.map { "\($0)" })
            #expect(last?.event == "rowtail.end")
            #expect(last?.id == "\(rows.upperBound)")
            #expect(last?.data == "{\"reason\":\"\(reason)\"}")
            #expect(await client.endedInOrder)
        }
    }

    @Test func `a limit counts rows that come later`() async throws {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=8&limit=4")
            #expect(try await client.events(2).map(\.id) == ["9", "10"])
            table.publish(3)
            let (ids, last) = try await readAll(client)
            #expect(ids == ["11", "12"])
            #expect(last?.data == #"{"reason":"limit"}"#)
        }
    }

    @Test func `the head is that of the moment of the request`() async throws {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed]) { _, port in
            table.source.hold()
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=7&until=head")
            table.publish(5)
            table.source.release()
            #expect(try await readAll(client).ids == ["8", "9", "10"])
        }
    }

    @Test func `a source that answers at once is read to its end`() async throws {
        let table = HandFedTable(rows: 20_000, source: InMemoryFeedSource(pageRows: 1))
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest&until=head")
            #expect(try await readAll(client).ids.count == 20_000)
        }
    }

    @Test func `an end lies behind rows that the feed passes over`() async throws {
        let source = InMemoryFeedSource(pageRows: 4) { $0 % 5 == 1 }
        let table = HandFedTable(rows: 20, source: source)
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest&until=head")
            let (ids, last) = try await readAll(client)
            #expect(ids == ["1", "6", "11", "16"])
            #expect(last?.id == "20")
        }
    }

    @Test(
        arguments: [
            "since=latest&until=head", "until=head", "last_event_id=10&until=head", "until=head&limit=3",
            "since=10&until=head",
        ]
    )
    func `nothing newer up to the head is 204`(_ query: String) async throws {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed]) { _, port in
            let (head, _) = try await StreamClient.ask(port: port, "/feeds/orders?\(query)")
            #expect(head.statusLine == "HTTP/1.1 204 No Content")
            #expect(head.fields["cache-control"] == "no-cache")
        }
    }

    @Test func `nothing newer after a reset is 200, with the reset and the end`() async throws {
        let table = HandFedTable(rows: 5, polled: false)
        table.begin(.broken(5))
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, head) = try await StreamClient.stream(
                port: port,
                "/feeds/orders?until=head",
                lastEventID: "7"
            )
            #expect(head.status == 200)
            #expect(try await client.event()?.event == "rowtail.reset")
            #expect(
                try await client.event()
                    == StreamClient.Frame(id: "5@1", event: "rowtail.end", data: #"{"reason":"head"}"#)
            )
            #expect(try await client.frame() == nil)
            #expect(await client.endedInOrder)
        }
    }

    @Test func `a stream ends at its greatest age, and its client connects anew`() async throws {
        let table = HandFedTable(rows: 5)
        try await withServer(
            feeds: [table.feed],
            options: .with {
                $0.maxConnectionAge = .milliseconds(150)
                $0.heartbeatInterval = .milliseconds(100)
            }
        ) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=3")
            let (ids, last) = try await readAll(client)
            #expect(ids == ["4", "5"])
            #expect(last == StreamClient.Frame(id: "5", event: "rowtail.end", data: #"{"reason":"age"}"#))
            #expect(await client.endedInOrder)
            // On this connection it would stay with this server.
            #expect(await client.rest() == "")
        }
    }

    @Test func `an HTTP/1.0 stream is unframed and ends with the connection`() async throws {
        let table = HandFedTable(rows: 5)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.send("GET /feeds/orders?since=3&limit=3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let head = try await client.head()
            #expect(head.statusLine == "HTTP/1.0 200 OK")
            #expect(head.fields["transfer-encoding"] == nil)
            #expect(head.fields["connection"] == nil)
            _ = try await client.frame()
            table.publish(3)
            #expect(
                await client.rest() == """
                    id: 4
                    data: {"id":4}

                    id: 5
                    data: {"id":5}

                    id: 6
                    data: {"id":6}

                    event: rowtail.end
                    id: 6
                    data: {"reason":"limit"}


                    """
            )
        }
    }
}
