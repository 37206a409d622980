// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StreamStartTests {
    struct Start: Sendable, CustomTestStringConvertible {
        var query = ""
        var header: String?
        /// The id of the checkpoint.
        var checkpoint: String
        /// The first of the ten rows that is sent.
        var first: Int

        var testDescription: String { "\(query) \(header.map { "Last-Event-ID: \($0)" } ?? "")" }
    }

    static let starts = [
        Start(checkpoint: "10", first: 11),
        Start(header: "7", checkpoint: "7", first: 8),
        Start(header: "10", checkpoint: "10", first: 11),
        Start(header: "earliest", checkpoint: "earliest", first: 1),
        Start(header: "0", checkpoint: "0", first: 1),
        Start(header: "-5", checkpoint: "-5", first: 1),
        Start(query: "last_event_id=7", checkpoint: "7", first: 8),
        Start(query: "lastEventId=7", checkpoint: "7", first: 8),
        Start(query: "last_event_id=%37", checkpoint: "7", first: 8),
        Start(query: "last_event_id=-5", checkpoint: "-5", first: 1),
        Start(query: "last_event_id=2", header: "8", checkpoint: "8", first: 9),
        Start(query: "last_event_id=7", header: "", checkpoint: "7", first: 8),
        Start(query: "last_event_id=", header: "", checkpoint: "10", first: 11),
        Start(query: "lastEventId=&since=4", header: "", checkpoint: "4", first: 5),
        Start(query: "since=4", header: "8", checkpoint: "8", first: 9),
        Start(query: "since=4&last_event_id=6", checkpoint: "6", first: 7),
        Start(query: "since=earliest", checkpoint: "earliest", first: 1),
        Start(query: "since=latest", checkpoint: "10", first: 11),
        Start(query: "since=-3", checkpoint: "7", first: 8),
        Start(query: "since=-10", checkpoint: "earliest", first: 1),
        Start(query: "since=-9223372036854775807", checkpoint: "earliest", first: 1),
        Start(query: "since=5", checkpoint: "5", first: 6),
        Start(query: "&since=5&", checkpoint: "5", first: 6),
    ]

    @Test(arguments: starts)
    func `a stream starts after what its client has, else where it asks to`(_ start: Start) async throws {
        let table = HandFedTable(rows: 10)
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, head) = try await StreamClient.stream(
                port: port,
                "/feeds/orders" + (start.query.isEmpty ? "" : "?\(start.query)"),
                lastEventID: start.header
            )
            #expect(head.status == 200)
            #expect(try await client.frame()?.id == start.checkpoint)
            table.publish(2)
            let expected = (start.first...12).map { "\($0)" }
            #expect(try await client.events(expected.count).map(\.id) == expected)
        }
    }

    @Test(
        arguments: [
            (StartPoint.earliest, "earliest"), (.latest, "10"), (.newest(4), "6"),
            (.after(EventID(.integer(3), generation: 0)), "3"),
        ]
    )
    func `a feed's own start serves clients that don't say`(_ start: StartPoint, _ checkpoint: String) async throws {
        let table = HandFedTable(rows: 10) { $0.start = start }
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await client.frame()?.id == checkpoint)
        }
    }

    @Test func `a stream opened before the first poll waits for it`() async throws {
        let table = HandFedTable(rows: 4, polled: false)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders?since=2")
            // Answered on the same loop, so the request above was looked at.
            _ = try await StreamClient.ask(port: port, "/healthz")
            #expect(table.feed.subscriberCount == 0)
            table.begin()
            #expect(try await client.head().status == 200)
            #expect(try await client.frame()?.id == "2")
            #expect(try await client.events(2).map(\.id) == ["3", "4"])
        }
    }

    @Test func `a stream opened as the head becomes known isn't ahead of its event loop`() async throws {
        // One loop, so that the first poll ends before its news is looked at.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let table = HandFedTable(rows: 4, polled: false)
        try await withServer(feeds: [table.feed], group: group) { _, port in
            let client = try await StreamClient.connect(port: port)
            try await client.request("GET", "/feeds/orders", fields: ["Last-Event-ID: 2@1"])
            _ = try await StreamClient.ask(port: port, "/healthz")
            try await group.any().submit { table.begin(.broken(3)) }.get()
            _ = try await client.head()
            #expect(try await client.events(2).map(\.id) == ["3@1", "4@1"])
        }
    }

    @Test func `a stream of a feed whose table isn't there waits with heartbeats and starts when it is`() async throws {
        let table = HandFedTable(rows: 4, polled: false)
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            table.polled(.waiting, .waiting("there is no table 'orders'"))
            let (resumed, head) = try await StreamClient.stream(port: port, "/feeds/orders", lastEventID: "1")
            let (newest, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=-1")
            let (ahead, _) = try await StreamClient.stream(port: port, "/feeds/orders", lastEventID: "9")
            let (ending, _) = try await StreamClient.stream(port: port, "/feeds/orders?until=head")
            #expect(head.status == 200)
            #expect(try await resumed.frame()?.id == nil)
            #expect(try await resumed.frame()?.comments == ["heartbeat"])
            table.begin()
            #expect(try await resumed.events(3).map(\.id) == ["2", "3", "4"])
            #expect(try await newest.event()?.id == "4")
            #expect(try await ahead.event()?.event == "rowtail.reset")
            #expect(try await ahead.event()?.id == "1")
            #expect(try await ending.event()?.data == #"{"reason":"head"}"#)
            #expect(try await ending.frame() == nil)
            #expect(await ending.endedInOrder)
        }
    }

    @Test func `a waiting stream starts although the table can't be read at first`() async throws {
        let table = HandFedTable(rows: 4, polled: false)
        try await withServer(feeds: [table.feed]) { _, port in
            table.polled(.waiting, .waiting("there is no table 'orders'"))
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=-2")
            _ = try await client.frame()
            table.source.fail(true)
            table.begin()
            // The figures come from the same loop, after the start was looked for.
            _ = try await StreamClient.ask(port: port, "/metrics")
            table.source.fail(false)
            #expect(try await client.events(2).map(\.id) == ["3", "4"])
        }
    }

    @Test func `a start that can't be read now is waited for`() async throws {
        let table = HandFedTable(rows: 4)
        try await withServer(
            feeds: [table.feed],
            options: .with { $0.heartbeatInterval = .milliseconds(100) }
        ) { _, port in
            table.source.fail(true)
            // A browser would never come back from an error.
            let (client, head) = try await StreamClient.stream(port: port, "/feeds/orders?since=-2")
            #expect(head.status == 200)
            #expect(try await client.frame()?.id == nil)
            table.source.fail(false)
            #expect(try await client.events(2).map(\.id) == ["3", "4"])
        }
    }

    @Test func `an end at the head waits until someone can tell where that is`() async throws {
        let table = HandFedTable(rows: 4)
        try await withServer(
            feeds: [table.feed],
            options: .with { $0.heartbeatInterval = .milliseconds(100) }
        ) { _, port in
            table.polled(.busy, nil)
            let (client, head) = try await StreamClient.stream(port: port, "/feeds/orders?since=4&until=head")
            #expect(head.status == 200)
            table.polled(.rows, .live)
            #expect(try await client.event()?.event == "rowtail.end")
        }
    }

    @Test func `a retired feed sends its clients away for good`() async throws {
        let table = HandFedTable(rows: 4, polled: false) { $0.isRetired = true }
        try await withServer(feeds: [table.feed]) { _, port in
            let (head, _) = try await StreamClient.ask(port: port, "/feeds/orders", fields: ["Last-Event-ID: 2"])
            #expect(head.statusLine == "HTTP/1.1 204 No Content")
            #expect(head.fields["content-length"] == nil)
            let (ready, body) = try await StreamClient.ask(port: port, "/readyz")
            #expect(ready.status == 200)
            #expect(body == "{\"ready\":true,\"feeds\":{}}\n")
        }
    }
}
