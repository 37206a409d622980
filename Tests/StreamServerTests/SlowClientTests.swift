// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

// One after the other, as each moves much.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct SlowClientTests {
    /// A table of rows that fill sockets.
    private func wide(rows: Int64 = 0, padding: Int = 1000, tailBytes: Int = 256 << 10) -> HandFedTable {
        HandFedTable(rows: rows, source: InMemoryFeedSource(pageRows: 100, padding: padding)) {
            $0.tailBytes = tailBytes
        }
    }

    /// Reads rows up to one and compares each with what the table has.
    private func expectRows(_ ids: ClosedRange<Int64>, of table: HandFedTable, on client: StreamClient) async throws {
        for id in ids {
            let event = try await client.event()
            guard event?.id == "\(id)", event?.data == table.source.json(id), event?.event == nil else {
                Issue.record("row \(id) is \(event?.id ?? "missing")")
                return
            }
        }
    }

    @Test(arguments: ["HTTP/1.1", "HTTP/1.0"], [1, 700, 20_000])
    func `a slow reader gets every byte in order`(_ version: String, _ padding: Int) async throws {
        let table = wide(rows: 5, padding: padding)
        let rows: Int64 = padding == 20_000 ? 400 : 8000
        try await withServer(feeds: [table.feed], threads: 2) { _, port in
            let client = try await StreamClient.connect(
                port: port,
                reads: false,
                readSize: 3001,
                receiveBuffer: 32 << 10
            )
            try await client.send("GET /feeds/orders?since=earliest \(version)\r\nHost: a\r\n\r\n")
            _ = try await client.head()
            async let read: Void = expectRows(1...rows, of: table, on: client)
            var batch: Int64 = 1
            while table.source.last < rows {
                table.publish(min(batch, rows - table.source.last))
                batch = batch % 97 + 13
                // Lets the server's loops see some batches apart.
                if batch.isMultiple(of: 3) { _ = try await StreamClient.ask(port: port, "/healthz") }
            }
            try await read
        }
    }

    @Test func `what is counted as sent is what was sent`() async throws {
        let table = wide(rows: 12_000)
        try await withServer(feeds: [table.feed]) { _, port in
            let client = try await StreamClient.connect(
                port: port,
                reads: false,
                readSize: 3001,
                receiveBuffer: 32 << 10
            )
            try await client.request("GET", "/feeds/orders?since=earliest&until=head", fields: ["Connection: close"])
            _ = try await client.head()
            let bytes = await client.rest().utf8.count
            let metrics = try await StreamClient.ask(port: port, "/metrics").body
            #expect(metrics.contains("\nrowtail_bytes_sent_total \(bytes)\n"))
            #expect(metrics.contains("\nrowtail_events_sent_total{feed=\"orders\"} 12000\n"))
        }
    }

    @Test func `a client that takes nothing is closed after the write timeout, without a final chunk`() async throws {
        let table = wide(rows: 8000)
        try await withServer(
            feeds: [table.feed],
            options: .with {
                $0.limits.writeTimeout = .milliseconds(300)
                $0.heartbeatInterval = .milliseconds(100)
            }
        ) { _, port in
            let client = try await StreamClient.connect(port: port, reads: false, receiveBuffer: 32 << 10)
            try await client.request("GET", "/feeds/orders?since=earliest")
            try await eventually { table.feed.subscriberCount == 1 }
            try await eventually { table.feed.subscriberCount == 0 }
            try await client.resumeReading()
            _ = try await client.head()
            while let frame = try? await client.frame() { #expect(frame.event == nil) }
            #expect(await client.endedInOrder == false)
        }
    }

    @Test func `a client that takes a little now and then stays`() async throws {
        let table = wide(rows: 3000)
        try await withServer(
            feeds: [table.feed],
            options: .with {
                $0.limits.writeTimeout = .milliseconds(500)
                $0.heartbeatInterval = .milliseconds(100)
            }
        ) { _, port in
            let client = try await StreamClient.connect(
                port: port,
                reads: false,
                readSize: 8 << 10,
                receiveBuffer: 2048
            )
            try await client.request("GET", "/feeds/orders?since=earliest")
            _ = try await client.head()
            let start = ContinuousClock.now
            var next: Int64 = 1
            while ContinuousClock.now - start < .milliseconds(1500), next < 2900 {
                try await expectRows(next...next + 9, of: table, on: client)
                next += 10
                for _ in 0..<10 { _ = try await StreamClient.ask(port: port, "/healthz") }
            }
            try await client.resumeReading()
            try await expectRows(next...3000, of: table, on: client)
        }
    }

    @Test func `a page that can't be read is asked for again`() async throws {
        let table = wide(rows: 500, padding: 1)
        try await withServer(feeds: [table.feed]) { _, port in
            table.source.fail(true)
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest")
            try await eventually { table.source.pagesRead >= 2 }
            table.source.fail(false)
            try await expectRows(1...500, of: table, on: client)
        }
    }

    @Test func `a client that goes away while a page is read is forgotten`() async throws {
        let table = wide(rows: 500, padding: 1)
        try await withServer(feeds: [table.feed]) { _, port in
            table.source.hold()
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest")
            try await eventually { table.source.readsHeld == 1 }
            await client.close()
            try await eventually { table.feed.subscriberCount == 0 }
            table.source.release()
            let (again, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=490")
            try await expectRows(491...500, of: table, on: again)
        }
    }

    @Test func `S4: replay joins a head that moves on`() async throws {
        let table = wide(rows: 5000, padding: 10, tailBytes: 16 << 10)
        try await withServer(feeds: [table.feed], threads: 2) { _, port in
            let (client, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=earliest")
            let (other, _) = try await StreamClient.stream(port: port, "/feeds/orders?since=2500")
            async let first: Void = expectRows(1...12_000, of: table, on: client)
            async let second: Void = expectRows(2501...12_000, of: table, on: other)
            while table.source.last < 12_000 {
                table.publish(20)
                _ = try await StreamClient.ask(port: port, "/healthz")
            }
            try await first
            try await second
            // It follows the head from memory by now.
            let pages = table.source.pagesRead
            table.publish(10)
            try await expectRows(12_001...12_010, of: table, on: client)
            try await expectRows(12_001...12_010, of: table, on: other)
            #expect(table.source.pagesRead == pages)
        }
    }

    @Test func `S6: a storm of clients that come back is served from memory`() async throws {
        let table = HandFedTable()
        try await withServer(feeds: [table.feed], threads: 2) { _, port in
            // The newest rows are warm, as after a restart.
            table.publish(1000)
            try await withThrowingTaskGroup { tasks in
                for index in 0..<500 {
                    tasks.addTask {
                        let (client, head) = try await StreamClient.stream(
                            port: port,
                            "/feeds/orders",
                            lastEventID: "\(index + 400)"
                        )
                        #expect(head.status == 200)
                        #expect(try await client.events(1000 - 400 - index).last?.id == "1000")
                        #expect(try await client.event()?.id == "1001")
                        await client.close()
                    }
                }
                try await eventually { table.feed.subscriberCount == 500 }
                table.publish()
                try await tasks.waitForAll()
            }
            #expect(table.source.pagesRead == 0)
        }
    }
}
