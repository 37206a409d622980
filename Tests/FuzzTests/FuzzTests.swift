// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Feeds the parsers with what nobody would write, without libFuzzer: always the same inputs, a few seconds of them.
///
/// `ROWTAIL_FUZZ_SECONDS` has each parser fed for so long, from `ROWTAIL_FUZZ_SEED` on. `scripts/fuzz` does better.
@Suite(.serialized) struct FuzzTests {
    /// The most time that an input may take, on a processor and in a debug build.
    private static let mostSeconds = 2.0

    @Test(arguments: FuzzTarget.allCases) func `inputs that once were trouble are none`(target: FuzzTarget) throws {
        let check = target.makeCheck()
        let corpus = try corpus(of: target)
        #expect(!corpus.isEmpty)
        for (name, input) in corpus {
            #expect(check(input) == nil, "\(target)/\(name)")
        }
    }

    @Test(arguments: FuzzTarget.allCases) func `inputs at random break nothing`(target: FuzzTarget) throws {
        let environment = ProcessInfo.processInfo.environment
        let time = environment["ROWTAIL_FUZZ_SECONDS"].flatMap(Double.init)
        let seed = environment["ROWTAIL_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
        var mutator = Mutator(seeds: try corpus(of: target).map(\.input), words: target.words, seed: seed)
        let check = target.makeCheck()
        let deadline = time.map { ContinuousClock.now + .seconds($0) }
        var count = 0
        while deadline.map({ .now < $0 }) ?? (count < 2000) {
            let input = mutator.next()
            let start = processorSeconds()
            let fault = check(input)
            let seconds = processorSeconds() - start
            count += 1
            if fault != nil || seconds > Self.mostSeconds {
                Issue.record(
                    "\(target), input \(count) of seed \(seed), \(seconds) s: \(fault ?? "")\n\(String(escaping: input))"
                )
                return
            }
        }
        print("\(target): \(count) inputs")
    }

    /// The seconds that this thread has spent on a processor.
    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func corpus(of target: FuzzTarget) throws -> [(name: String, input: [UInt8])] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Corpus/\(target.rawValue)")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }
}
