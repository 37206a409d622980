// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@Suite struct RowRateTests {
    private let begin = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { begin + .seconds(seconds) }

    @Test func `rows are counted in five seconds each, and only those that are over are told`() {
        var rate = RowRate(at: begin)
        rate.count(2, at: at(0))
        rate.count(1, at: at(4.9))
        #expect(rate.counts(at: at(4.9)) == Array(repeating: nil, count: 60))
        rate.count(7, at: at(5))
        #expect(rate.counts(at: at(9.9)).suffix(2) == [nil, 3])
        #expect(rate.counts(at: at(10)).suffix(3) == [nil, 3, 7])
        #expect(rate.counts(at: at(21)).suffix(5) == [nil, 3, 7, 0, 0])
    }

    @Test func `what is older than five minutes is forgotten, however long nothing came`() {
        var rate = RowRate(at: begin)
        for second in stride(from: 0, to: 400, by: 5) { rate.count(second, at: at(Double(second))) }
        #expect(rate.counts(at: at(400)) == stride(from: 100, to: 400, by: 5).map { $0 })
        #expect(
            rate.counts(at: at(600)) == stride(from: 300, to: 400, by: 5).map { $0 } + Array(repeating: 0, count: 40)
        )
        #expect(rate.counts(at: at(100_000)) == Array(repeating: 0, count: 60))
        rate.count(1, at: at(100_000))
        #expect(rate.counts(at: at(100_005)) == Array(repeating: 0, count: 59) + [1])
    }

    @Test func `rows whose number nobody knows leave five seconds open, no more`() {
        var rate = RowRate(at: begin)
        rate.count(3, at: at(0))
        rate.count(nil, at: at(1))
        rate.count(4, at: at(2))
        rate.count(5, at: at(6))
        #expect(rate.counts(at: at(10)).suffix(2) == [nil, 5])
    }

    @Test func `numbers past any that a table can have don't overflow`() {
        var rate = RowRate(at: begin)
        for _ in 0..<4 { rate.count(.max, at: at(1)) }
        #expect(rate.counts(at: at(5)).last == Int(UInt32.max) - 1)
    }

    @Test func `a feed counts what it hands over, and what it moves past while nobody listens`() {
        let orders = HandFedTable("orders", rows: 3)
        func rows() -> [Int] { orders.feed.recentRows(at: .now + .seconds(5)).compactMap(\.self) }
        #expect(rows().reduce(0, +) == 0)
        orders.publish(4)
        #expect(rows().reduce(0, +) == 4)
        orders.advance(20)
        #expect(rows().reduce(0, +) == 24)
        // Which is one row, or more.
        let empty = HandFedTable("empty")
        empty.advance(7)
        #expect(empty.feed.recentRows(at: .now + .seconds(5)).compactMap(\.self).allSatisfy { $0 == 0 })
    }
}
