// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ResetTests {
    struct Resume: Sendable, CustomTestStringConvertible {
        var history: GenerationHistory
        var id: String
        var query = ""
        /// `nil` when the stream goes on exactly.
        var reason: String?
        var resumedFrom: String
        /// The first of the eight rows that is sent.
        var first: Int

        var testDescription: String { "\(id) after \(history.breaks.map(\.base)) \(query)" }
    }

    static let resumes = [
        Resume(history: .broken(5), id: "3", resumedFrom: "3@1", first: 4),
        Resume(history: .broken(5), id: "5", resumedFrom: "5@1", first: 6),
        Resume(history: .broken(5), id: "earliest", resumedFrom: "earliest@1", first: 1),
        Resume(history: .broken(5), id: "7", reason: "rewound", resumedFrom: "5@1", first: 6),
        Resume(
            history: .broken(5),
            id: "700",
            query: "on_reset=latest",
            reason: "rewound",
            resumedFrom: "5@1",
            first: 6
        ),
        Resume(history: .broken(5), id: "7@1", resumedFrom: "7@1", first: 8),
        Resume(history: .broken(5, 2), id: "4", reason: "rewound", resumedFrom: "2@2", first: 3),
        Resume(history: .broken(2, 5), id: "4", reason: "rewound", resumedFrom: "2@2", first: 3),
        Resume(history: .broken(2, 5), id: "4@1", resumedFrom: "4@2", first: 5),
        Resume(history: .broken(nil), id: "4", reason: "replaced", resumedFrom: "earliest@1", first: 1),
        Resume(history: .broken(nil, 6), id: "4@1", resumedFrom: "4@2", first: 5),
        Resume(
            history: .broken(nil),
            id: "4",
            query: "on_reset=latest",
            reason: "replaced",
            resumedFrom: "8@1",
            first: 9
        ),
        Resume(history: .broken(), id: "9", reason: "ahead", resumedFrom: "earliest", first: 1),
        Resume(history: .broken(), id: "9", query: "on_reset=latest", reason: "ahead", resumedFrom: "8", first: 9),
        Resume(history: .broken(5), id: "9@1", reason: "ahead", resumedFrom: "earliest@1", first: 1),
        Resume(history: .broken(5), id: "3@2", reason: "generation", resumedFrom: "earliest@1", first: 1),
        Resume(
            history: .broken(),
            id: "3@1",
            query: "on_reset=latest",
            reason: "generation",
            resumedFrom: "8",
            first: 9
        ),
    ]

    @Test(arguments: resumes)
    func `an id of another history goes on where both agree, and the client is told`(_ resume: Resume) async throws {
        let table = HandFedTable(rows: 8, polled: false)
        let generation = resume.history.current
        table.begin(resume.history)
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, head) = try await StreamClient.stream(
                port: port,
                "/feeds/orders?\(resume.query)",
                lastEventID: resume.id
            )
            #expect(head.status == 200)
            let first = try #require(try await client.frame())
            #expect(first.id == resume.resumedFrom)
            #expect(first.retry != nil && first.comments == ["rowtail feed orders"])
            if let reason = resume.reason {
                #expect(first.event == "rowtail.reset")
                #expect(
                    first.data == """
                        {"feed":"orders","reason":"\(reason)","requested":"\(resume.id)",\
                        "resumed_from":"\(resume.resumedFrom)"}
                        """
                )
            } else {
                #expect(first.event == nil)
            }
            table.publish(2)
            let expected = (resume.first...10).map { generation == 0 ? "\($0)" : "\($0)@\(generation)" }
            #expect(try await client.events(expected.count).map(\.id) == expected)
        }
    }

    @Test(arguments: ["7", "9@1", "3@2"])
    func `a client that wants no reset is told that its place is gone`(_ id: String) async throws {
        let table = HandFedTable(rows: 8, polled: false) { $0.onReset = .fail }
        table.begin(.broken(5))
        try await withServer(feeds: [table.feed], options: .with { $0.limits.streams = 1 }) { _, port in
            let client = try await StreamClient.connect(port: port)
            let (head, body) = try await client.ask("/feeds/orders", fields: ["Last-Event-ID: \(id)"])
            #expect(head.statusLine == "HTTP/1.1 410 Gone")
            #expect(body.contains(#""code":"gone""#))
            // What the request says goes before what the feed says, and the place was given back.
            try await client.request("GET", "/feeds/orders?on_reset=earliest", fields: ["Last-Event-ID: \(id)"])
            #expect(try await client.head().status == 200)
        }
    }

    /// A stream at the head, row 10 of generation 0.
    private func live(
        _ query: String,
        policy: ResetPolicy = .earliest,
        _ body: (StreamClient, HandFedTable) async throws -> Void
    ) async throws {
        let table = HandFedTable(rows: 9) { $0.onReset = policy }
        try await withServer(feeds: [table.feed]) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?\(query)")
            _ = try await client.frame()
            table.publish()
            #expect(try await client.event()?.id == "10")
            try await body(client, table)
        }
    }

    @Test(arguments: ["", "on_reset=earliest", "on_reset=latest"])
    func `an open stream goes on from the base when rows after it went away`(_ query: String) async throws {
        try await live(query) { client, table in
            table.begin(.broken(5), last: 5)
            table.publish(2)
            let reset = try #require(try await client.event())
            #expect(reset.event == "rowtail.reset")
            #expect(reset.id == "5@1")
            #expect(reset.data == #"{"feed":"orders","reason":"rewound","requested":"10","resumed_from":"5@1"}"#)
            #expect(try await client.events(2).map(\.id) == ["6@1", "7@1"])
        }
    }

    @Test(arguments: [("", "earliest@1", 1), ("on_reset=latest", "3@1", 4)])
    func `an open stream goes on as it wants when another table took the place`(
        _ query: String,
        _ resumedFrom: String,
        _ first: Int
    ) async throws {
        try await live(query) { client, table in
            table.begin(.broken(nil), last: 3)
            let reset = try #require(try await client.event())
            #expect(
                reset.data == """
                    {"feed":"orders","reason":"replaced","requested":"10","resumed_from":"\(resumedFrom)"}
                    """
            )
            #expect(reset.id == resumedFrom)
            table.publish()
            let expected = (first...4).map { "\($0)@1" }
            #expect(try await client.events(expected.count).map(\.id) == expected)
        }
    }

    @Test func `a feed's policy serves open streams too`() async throws {
        try await live("", policy: .latest) { client, table in
            table.begin(.broken(nil), last: 3)
            let reset = try await client.event()
            #expect(reset?.id == "3@1")
        }
    }

    @Test func `an open stream that wants no reset ends after it`() async throws {
        try await live("on_reset=fail") { client, table in
            table.begin(.broken(5), last: 5)
            #expect(try await client.event()?.event == "rowtail.reset")
            let end = try #require(try await client.event())
            #expect(end.event == "rowtail.end")
            #expect(end.data == #"{"reason":"reset"}"#)
            #expect(try await client.frame() == nil)
            #expect(await client.endedInOrder)
        }
    }

    @Test func `an open stream at the base goes on without a reset`() async throws {
        // One loop, so that the break and the rows after it come to the streams in one go.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let table = HandFedTable(rows: 9)
        try await withServer(feeds: [table.feed], group: group) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await client.frame()
            try await group.any().submit {
                table.begin(.broken(9), last: 9)
                table.publish(2)
                table.publish(2)
            }.get()
            table.publish()
            let events = try await client.events(5)
            #expect(events.map(\.event) == [nil, nil, nil, nil, nil])
            #expect(events.map(\.id) == ["10@1", "11@1", "12@1", "13@1", "14@1"])
        }
    }

    @Test func `a break while a page is read isn't mixed with it`() async throws {
        let table = HandFedTable(rows: 9)
        try await withServer(feeds: [table.feed]) { _, port in
            table.source.hold()
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=2")
            _ = try await client.frame()
            try await eventually { table.source.readsHeld == 1 }
            table.begin(.broken(6), last: 6)
            table.source.release()
            #expect(try await client.events(4).map(\.id) == ["3@1", "4@1", "5@1", "6@1"])
        }
    }

    @Test func `a client at the base learns its new id by the next heartbeat`() async throws {
        let table = HandFedTable(rows: 9)
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            _ = try await client.frame()
            table.begin(.broken(9), last: 9)
            while let frame = try await client.frame() {
                guard frame.id != nil else { continue }
                #expect(frame == StreamClient.Frame(id: "9@1"))
                break
            }
        }
    }
}
