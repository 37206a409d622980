// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

/// Streams at the head, which move as one, and how they come and go.
@Suite(.timeLimit(.minutes(1)))
struct CohortTests {
    @Test func `streams that came at different times get the same from then on, and each its own end`() async throws {
        let table = HandFedTable(rows: 3)
        try await withServer(feeds: [table.feed]) { _, port in
            var clients: [StreamClient] = []
            for round in Int64(0)..<4 {
                let path = round == 2 ? "/feeds/orders?limit=3" : "/feeds/orders"
                clients.append(try await StreamClient.stream(port: port, path).0)
                _ = try await clients.last?.frame()
                table.publish()
            }
            table.publish(2)
            for (round, client) in clients.enumerated() {
                let first = 4 + round
                let last = round == 2 ? first + 2 : 9
                #expect(try await client.events(last - first + 1).map(\.id) == (first...last).map(String.init))
                if round == 2 { #expect(try await client.event()?.event == "rowtail.end") }
            }
            await clients[1].close()
            table.publish()
            #expect(try await clients[0].event()?.id == "10")
            #expect(try await clients[3].event()?.id == "10")
        }
    }

    @Test func `a stream that knows where it stands isn't told with the others`() async throws {
        let table = HandFedTable(rows: 3, source: InMemoryFeedSource { $0.isMultiple(of: 10) })
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            let (early, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await early.frame()?.id == "3")
            table.publish(4)
            let (late, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await late.frame()?.id == "7")
            while let frame = try await early.frame() {
                guard let id = frame.id else { continue }
                #expect(id == "7")
                break
            }
            for _ in 0..<3 { #expect(try await late.frame() == StreamClient.Frame(comments: ["heartbeat"])) }
            table.publish(3)
            #expect(try await early.event()?.id == "10")
            #expect(try await late.event()?.id == "10")
        }
    }

    @Test func `a break is told to each stream once, and all go on together`() async throws {
        let table = HandFedTable(rows: 9)
        try await withServer(feeds: [table.feed]) { _, port in
            var clients: [StreamClient] = []
            for _ in 0..<5 {
                clients.append(try await StreamClient.stream(port: port, "/feeds/orders").0)
                _ = try await clients.last?.frame()
            }
            var history = GenerationHistory()
            history.advance(base: .integer(6))
            table.begin(history, last: 6)
            table.publish(2)
            for client in clients {
                let frames = try await client.events(3)
                #expect(frames.map(\.id) == ["6@1", "7@1", "8@1"])
                #expect(frames.map(\.event) == ["rowtail.reset", nil, nil])
            }
        }
    }

    @Test func `a client is told what it was passed over even where the others knew`() async throws {
        let table = HandFedTable(rows: 7, source: InMemoryFeedSource { $0.isMultiple(of: 10) })
        try await withServer(feeds: [table.feed], options: .with { $0.heartbeatInterval = .milliseconds(50) }) {
            _,
            port in
            let (early, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await early.frame()?.id == "7")
            // At the head by now, as a heartbeat comes after the first frame is out.
            #expect(try await early.frame()?.comments == ["heartbeat"])
            let (late, _) = try await StreamClient.stream(port: port, "/feeds/orders?last_event_id=3")
            #expect(try await late.frame()?.id == "3")
            #expect(try await late.frame() == StreamClient.Frame(id: "7"))
            #expect(try await late.frame() == StreamClient.Frame(comments: ["heartbeat"]))
        }
    }

    @Test func `a page that one of them still waits for keeps nobody from reading`() async throws {
        let table = HandFedTable(rows: 9)
        try await withServer(feeds: [table.feed]) { _, port in
            table.source.hold()
            let (first, _) = try await StreamClient.stream(port: port, "/feeds/orders?last_event_id=2")
            #expect(try await first.frame()?.id == "2")
            try await eventually { table.source.readsHeld == 1 }
            // Its rows went away meanwhile: it stands at the head and is the first to do so.
            table.begin(.broken(2), last: 2)
            let (second, _) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(try await second.frame()?.id == "2@1")
            table.publish()
            #expect(try await first.event()?.id == "3@1")
            #expect(try await second.event()?.id == "3@1")
            table.source.release()
            // The tail holds none of these.
            table.advance(2)
            #expect(try await first.events(2).map(\.id) == ["4@1", "5@1"])
            #expect(try await second.events(2).map(\.id) == ["4@1", "5@1"])
        }
    }
}
