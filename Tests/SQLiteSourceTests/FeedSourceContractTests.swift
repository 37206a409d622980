// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import RowtailCore
import SQLiteSource
import TestSupport
import Testing

/// What every ``FeedSource`` promises, the one in memory as well as SQLite's.
@Suite(.timeLimit(.minutes(1))) struct FeedSourceContractTests {
    enum Kind: CaseIterable {
        case memory
        case sqlite

        /// A source with the rows 1 to `rows`, of which those that a filter passes over are not sent.
        func source(rows: Int64, pageRows: Int, multiplesOf divisor: Int64 = 1) async throws -> (any FeedSource, Any) {
            switch self {
            case .memory:
                let source = InMemoryFeedSource(pageRows: pageRows) { $0.isMultiple(of: divisor) }
                if rows > 0 { _ = source.append(1...rows) }
                return (source, source)
            case .sqlite:
                let database = try TemporaryDatabase("CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT);")
                for _ in 0..<rows { try database.execute("INSERT INTO orders DEFAULT VALUES") }
                let watched = WatchedTable(
                    feed: "orders",
                    table: "orders",
                    filter: divisor == 1 ? nil : "id % \(divisor) = 0",
                    pageRows: pageRows
                )
                let watch = await WatchedFile(database.path, watched, keeping: database)
                return (watch.feed.source, watch)
            }
        }
    }

    private let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any()

    private func page(
        _ source: any FeedSource,
        after: Position,
        through: Int64,
        generation: Int = 0
    ) async throws -> Segment {
        try await source.page(after: after, through: .integer(through), generation: generation, on: eventLoop).get()
    }

    @Test(arguments: Kind.allCases, [1, 3, 10, 100])
    func `pages follow each other without a gap or a duplicate`(kind: Kind, pageRows: Int) async throws {
        let (source, keep) = try await kind.source(rows: 10, pageRows: pageRows)
        var after = Position.earliest
        var ids: [String] = []
        while after < .integer(10) {
            let page = try await page(source, after: after, through: 10)
            #expect(page.after == after)
            #expect(page.through > after && page.through <= .integer(10))
            #expect(page.events.count <= pageRows)
            ids += page.frames().compactMap(\.id)
            after = page.through
        }
        #expect(ids == (1...10).map(String.init))
        withExtendedLifetime(keep) {}
    }

    @Test(arguments: Kind.allCases)
    func `a page goes no further than it is asked to`(kind: Kind) async throws {
        let (source, keep) = try await kind.source(rows: 10, pageRows: 100)
        let part = try await page(source, after: .integer(3), through: 6)
        #expect(part.frames().compactMap(\.id) == ["4", "5", "6"])
        #expect(part.through == .integer(6))
        #expect(part.foundAt == nil)
        let end = try await page(source, after: .integer(10), through: 10)
        #expect(end.events.isEmpty)
        #expect(end.through == .integer(10))
        let past = try await page(source, after: .integer(8), through: 15)
        #expect(past.frames().compactMap(\.id) == ["9", "10"])
        #expect(past.through == .integer(15))
        withExtendedLifetime(keep) {}
    }

    @Test(arguments: Kind.allCases, [2, 100])
    func `rows passed over are covered by the page`(kind: Kind, pageRows: Int) async throws {
        let (source, keep) = try await kind.source(rows: 11, pageRows: pageRows, multiplesOf: 5)
        var after = Position.earliest
        var ids: [String] = []
        var pages = 0
        while after < .integer(11) {
            let page = try await page(source, after: after, through: 11)
            #expect(page.through > after)
            ids += page.frames().compactMap(\.id)
            after = page.through
            pages += 1
        }
        #expect(ids == ["5", "10"])
        #expect(after == .integer(11))
        #expect(pages == (pageRows == 2 ? 6 : 1))
        withExtendedLifetime(keep) {}
    }

    @Test(arguments: Kind.allCases)
    func `an event's id is of the generation that the page names`(kind: Kind) async throws {
        let (source, keep) = try await kind.source(rows: 3, pageRows: 100)
        if let memory = source as? InMemoryFeedSource { memory.rewind(to: 3, generation: 2) }
        let page = try await page(source, after: .integer(1), through: 3, generation: 2)
        #expect(page.generation == 2)
        #expect(page.frames().compactMap(\.id) == ["2@2", "3@2"])
        withExtendedLifetime(keep) {}
    }

    @Test(
        arguments: Kind.allCases,
        [
            (1, 10, Position.integer(9)), (9, 10, .integer(1)), (10, 10, .earliest), (11, 10, .earliest),
            (3, 5, .integer(2)),
        ]
    )
    func `the position before the newest rows`(
        kind: Kind,
        wanted: (count: Int, head: Int64, position: Position)
    ) async throws {
        let (source, keep) = try await kind.source(rows: 10, pageRows: 2)
        let found = try await source.position(
            beforeNewest: wanted.count,
            through: .integer(wanted.head),
            on: eventLoop
        ).get()
        #expect(found == wanted.position)
        withExtendedLifetime(keep) {}
    }

    @Test(arguments: Kind.allCases)
    func `an empty source has empty pages`(kind: Kind) async throws {
        let (source, keep) = try await kind.source(rows: 0, pageRows: 10)
        let page = try await page(source, after: .earliest, through: 5)
        #expect(page.events.isEmpty)
        #expect(page.through == .integer(5))
        let position = try await source.position(beforeNewest: 1, through: .earliest, on: eventLoop).get()
        #expect(position == .earliest)
        withExtendedLifetime(keep) {}
    }

    @Test(arguments: Kind.allCases)
    func `a refresh comes to an end, and answers arrive on the event loop`(kind: Kind) async throws {
        let (source, keep) = try await kind.source(rows: 1, pageRows: 10)
        let loop = eventLoop
        try await source.refresh(on: loop).map { loop.preconditionInEventLoop() }.get()
        try await source.page(after: .earliest, through: .integer(1), generation: 0, on: loop)
            .map { _ in loop.preconditionInEventLoop() }.get()
        withExtendedLifetime(keep) {}
    }
}
