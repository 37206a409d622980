// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import Testing

@Suite struct GenerationHistoryTests {
    /// Three breaks: generation 1 shares up to 50, generation 2 up to 30, generation 3 up to 70.
    private static var broken: GenerationHistory {
        var history = GenerationHistory()
        history.advance(base: .integer(50))
        history.advance(base: .integer(30))
        history.advance(base: .integer(70))
        return history
    }

    @Test(arguments: [
        // Of the current generation.
        ("90@3", GenerationHistory.Continuation.exact(.integer(90))),
        ("100@3", .exact(.integer(100))),
        ("101@3", .lost(.ahead)),
        ("earliest@3", .exact(.earliest)),
        // Of the one before: its base decides.
        ("70@2", .exact(.integer(70))),
        ("71@2", .rewound(.integer(70))),
        // The least base of all later generations decides.
        ("30@1", .exact(.integer(30))),
        ("31@1", .rewound(.integer(30))),
        ("31", .rewound(.integer(30))),
        ("200", .rewound(.integer(30))),
        ("5", .exact(.integer(5))),
        ("earliest", .exact(.earliest)),
        // Not known.
        ("1@4", .lost(.generation)),
        ("earliest@4", .lost(.generation)),
    ])
    func `an id goes on at the least of its position and the later bases`(
        id: String,
        continuation: GenerationHistory.Continuation
    ) throws {
        let id = try #require(EventID(id))
        #expect(Self.broken.continuation(of: id, head: .integer(100)) == continuation)
    }

    @Test func `an id past the head of a history without breaks is ahead`() {
        let history = GenerationHistory()
        let id = EventID(.integer(1), generation: 0)
        #expect(history.continuation(of: id, head: .earliest) == .lost(.ahead))
        #expect(history.continuation(of: id, head: .integer(1)) == .exact(.integer(1)))
    }

    @Test func `nothing of before a replaced file goes on`() {
        var history = Self.broken
        history.advance(base: nil)
        history.advance(base: .integer(10))
        for generation in 0...3 {
            let id = EventID(.integer(5), generation: generation)
            #expect(history.continuation(of: id, head: .integer(20)) == .lost(.replaced))
        }
        let later = EventID(.integer(5), generation: 4)
        #expect(history.continuation(of: later, head: .integer(20)) == .exact(.integer(5)))
    }

    @Test func `an emptied table has the base before the first row and is not replaced`() {
        var history = GenerationHistory()
        history.advance(base: .earliest)
        let id = EventID(.integer(5), generation: 0)
        #expect(history.continuation(of: id, head: .integer(20)) == .rewound(.earliest))
        #expect(history.breaks.map(\.replaced) == [false])
    }

    @Test func `ids older than the breaks that are kept are of an unknown generation`() {
        var history = GenerationHistory()
        for _ in 0..<GenerationHistory.breakLimit + 10 {
            history.advance(base: .integer(1))
        }
        #expect(history.breaks.count == GenerationHistory.breakLimit)
        let forgotten = EventID(.integer(1), generation: 9)
        #expect(history.continuation(of: forgotten, head: .integer(5)) == .lost(.generation))
        let oldest = EventID(.integer(1), generation: 10)
        #expect(history.continuation(of: oldest, head: .integer(5)) == .exact(.integer(1)))
        #expect(GenerationHistory(current: history.current, breaks: history.breaks) == history)
    }

    @Test(arguments: [
        (0, [Int](), true),
        (1, [1], true),
        (3, [1, 2, 3], true),
        (1000, [999, 1000], true),
        (0, [1], false),
        (1, [], false),
        (2, [1], false),
        (3, [1, 3], false),
        (3, [2, 3, 3], false),
        (2, [2, 1], false),
        (-1, [], false),
    ])
    func `a stored history has no gaps`(current: Int, generations: [Int], isValid: Bool) {
        let breaks = generations.map { GenerationHistory.Break(generation: $0, base: .integer(1), replaced: false) }
        #expect((GenerationHistory(current: current, breaks: breaks) != nil) == isValid)
    }
}
