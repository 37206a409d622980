// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// Makes inputs out of others by a few changes at random, the same ones for the same seed.
struct Mutator {
    private static let maximum = 4096

    private let seeds: [[UInt8]]
    private let words: [[UInt8]]
    private var random: SeededGenerator

    init(seeds: [[UInt8]], words: [String], seed: UInt64) {
        self.seeds = seeds + [[]]
        self.words = words.map { Array($0.utf8) }
        random = SeededGenerator(seed: seed)
    }

    /// The next input.
    mutating func next() -> [UInt8] {
        var input = seeds.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            change(&input)
        }
        return Array(input.prefix(Self.maximum))
    }

    private mutating func change(_ input: inout [UInt8]) {
        let range = range(in: input)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: input.removeSubrange(range)
        case 1: input.insert(contentsOf: input[range], at: range.lowerBound)
        case 2: input.insert(UInt8.random(in: 0...255, using: &random), at: range.lowerBound)
        case 3: if !range.isEmpty { input[range.lowerBound] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
        case 4: input.replaceSubrange(range, with: repeatElement(input[range].first ?? 0x30, count: count()))
        case 5:
            let other = seeds.randomElement(using: &random) ?? []
            input.replaceSubrange(range, with: other[self.range(in: other)])
        default: input.insert(contentsOf: words.randomElement(using: &random) ?? [], at: range.lowerBound)
        }
    }

    private mutating func range(in input: [UInt8]) -> Range<Int> {
        let start = Int.random(in: 0...input.count, using: &random)
        return start..<min(input.count, start + count())
    }

    /// Mostly few, seldom many.
    private mutating func count() -> Int {
        Int.random(in: 0...(random.oneIn(20) ? 600 : 12), using: &random)
    }
}
