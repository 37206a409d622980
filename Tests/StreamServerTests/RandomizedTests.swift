// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import StreamServer
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct RandomizedTests {
    /// A sequence of numbers that its seed determines.
    ///
    /// Source: SplitMix64, Steele, Lea and Flood 2014.
    struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    /// Reads a table through streams that end and are cut at random, and returns the rows' ids in the order they came.
    private func follow(_ port: Int, until last: Int64, _ random: Seeded) async throws -> [String] {
        var random = random
        var ids: [String] = []
        var cursor = "earliest"
        while ids.last != "\(last)" {
            let client = try await StreamClient.connect(
                port: port,
                reads: Bool.random(using: &random),
                readSize: .random(in: 100...5000, using: &random),
                receiveBuffer: Bool.random(using: &random) ? 16 << 10 : nil
            )
            // Several finite streams on one connection, or one that is cut.
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let query = ["", "?limit=\(Int.random(in: 1...300, using: &random))", "?until=head"].randomElement(
                    using: &random
                )
                try await client.request("GET", "/feeds/orders\(query ?? "")", fields: ["Last-Event-ID: \(cursor)"])
                let head = try await client.head()
                guard head.status == 200 else {
                    #expect(head.status == 204)
                    continue
                }
                var rest = query?.isEmpty == false ? Int.max : Int.random(in: 0...400, using: &random)
                var isAged = false
                while rest > 0, ids.last != "\(last)", let frame = try await client.frame() {
                    if let id = frame.id { cursor = id }
                    guard frame.data != nil else { continue }
                    if frame.event == nil { ids.append(cursor) } else { #expect(frame.event == "rowtail.end") }
                    isAged = isAged || frame.data == #"{"reason":"age"}"#
                    rest -= 1
                }
                // A stream that ends for its age takes its connection with it.
                guard rest > 0, !isAged, await client.endedInOrder else { break }
            }
            if Bool.random(using: &random) { await client.close() } else { try await client.reset() }
        }
        return ids
    }

    /// What a client has of a table whose newest rows go away at times.
    private struct Copy {
        var rows: [Int64: String] = [:]
        var last: Int64 = 0

        mutating func take(_ frame: StreamClient.Frame) throws {
            let id = try #require(frame.id.flatMap { Int64($0.prefix { $0 != "@" }.replacing("earliest", with: "0")) })
            if frame.event == "rowtail.reset" {
                #expect(frame.data?.contains("\"reason\":\"rewound\"") == true)
                rows = rows.filter { $0.key <= id }
            } else if frame.event == nil, let data = frame.data {
                #expect(id > last, "a row came twice")
                rows[id] = data
            }
            last = id
        }
    }

    private func copy(_ table: HandFedTable, _ port: Int, until last: Int64, _ random: Seeded) async throws -> Copy {
        var random = random
        var copy = Copy()
        var cursor = "earliest"
        while copy.rows[last] == nil || cursor != "\(last)@\(table.feed.status.history.current)" {
            let reads = Bool.random(using: &random)
            let client = try await StreamClient.connect(port: port, reads: reads, receiveBuffer: reads ? nil : 16 << 10)
            let query = ["", "?limit=\(Int.random(in: 1...300, using: &random))", "?until=head"].randomElement(
                using: &random
            )
            try await client.request("GET", "/feeds/orders\(query ?? "")", fields: ["Last-Event-ID: \(cursor)"])
            guard try await client.head().status == 200 else { continue }
            var rest = Int.random(in: 0...600, using: &random)
            while rest > 0, let frame = try await client.frame() {
                rest -= 1
                guard let id = frame.id else { continue }
                cursor = id
                try copy.take(frame)
                if id == "\(last)@\(table.feed.status.history.current)" { break }
            }
            await client.close()
        }
        return copy
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64(UInt32.max)), 1, 2])
    func `clients follow a table whose newest rows go away`(_ seed: UInt64) async throws {
        var random = Seeded(state: seed)
        let last: Int64 = 2500
        let source = InMemoryFeedSource(pageRows: .random(in: 7...120, using: &random), padding: 100)
        let table = HandFedTable(rows: 100, source: source) { $0.tailBytes = 24 << 10 }
        let options = ServerOptions.with { $0.heartbeatInterval = .milliseconds(100) }
        try await withServer(feeds: [table.feed], options: options, threads: 2) { _, port in
            try await withThrowingTaskGroup { clients in
                for _ in 0..<10 {
                    let own = Seeded(state: random.next())
                    clients.addTask { try await copy(table, port, until: last, own) }
                }
                var history = GenerationHistory()
                while table.source.last < last {
                    if history.current == 0 || Int.random(in: 0..<12, using: &random) == 0 {
                        let base = Int64.random(in: max(1, table.source.last - 300)...table.source.last, using: &random)
                        history.advance(base: .integer(base))
                        table.begin(history, last: base)
                    }
                    table.publish(min(Int64.random(in: 1...60, using: &random), last - table.source.last))
                    for _ in 0..<Int.random(in: 0...3, using: &random) {
                        _ = try await StreamClient.ask(port: port, "/healthz")
                    }
                }
                for try await copy in clients {
                    #expect(copy.rows.count == Int(last))
                    #expect(copy.rows.allSatisfy { $0.value == table.source.json($0.key) })
                }
            }
        }
    }

    @Test(arguments: [UInt64.random(in: 0...UInt64(UInt32.max)), 1, 2])
    func `clients that come and go at random get every row once, in order`(_ seed: UInt64) async throws {
        // The argument names the seed in the test's output.
        var random = Seeded(state: seed)
        let last: Int64 = 3000
        let source = InMemoryFeedSource(pageRows: .random(in: 7...120, using: &random), padding: 200) {
            !$0.isMultiple(of: 7) || $0 == last
        }
        let table = HandFedTable(rows: 100, source: source) { $0.tailBytes = 24 << 10 }
        let options = ServerOptions.with {
            $0.heartbeatInterval = .milliseconds(100)
            $0.maxConnectionAge = .milliseconds(700)
        }
        try await withServer(feeds: [table.feed], options: options, threads: 2) { _, port in
            try await withThrowingTaskGroup { clients in
                for _ in 0..<12 {
                    let own = Seeded(state: random.next())
                    clients.addTask { try await follow(port, until: last, own) }
                }
                while table.source.last < last {
                    let count = min(Int64.random(in: 1...60, using: &random), last - table.source.last)
                    switch Int.random(in: 0...9, using: &random) {
                    case 0: table.advance(count)
                    case 1: table.polled()
                    case 2:
                        // A read that fails now and then.
                        table.source.fail(true)
                        table.publish(count)
                    default: table.publish(count)
                    }
                    for _ in 0..<Int.random(in: 0...3, using: &random) {
                        _ = try await StreamClient.ask(port: port, "/healthz")
                    }
                    table.source.fail(false)
                }
                let expected = (1...last).filter { !$0.isMultiple(of: 7) || $0 == last }.map { "\($0)" }
                for try await ids in clients { #expect(ids == expected) }
            }
        }
    }
}
