// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import Testing

@testable import SQLiteSource

@Suite struct ContinuityTests {
    /// What was served, what is there, and what follows.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var watermark: Position = .integer(10)
        /// Rows remembered, newest first; the row at position p has the content p.
        var anchors: [Int64] = [10, 9, 8, 6, 1]
        var head: Int64?
        var evidence: Continuity.Evidence
        var isAutoincrement = false
        /// Rows that are there with other content than was remembered.
        var changed: Set<Int64> = []
        /// Rows that are gone.
        var gone: Set<Int64> = []
        var verdict: Continuity.Verdict

        init(
            _ testDescription: String,
            _ evidence: Continuity.Evidence,
            head: Int64?,
            changed: Set<Int64> = [],
            gone: Set<Int64> = [],
            isAutoincrement: Bool = false,
            _ verdict: Continuity.Verdict
        ) {
            self.testDescription = testDescription
            self.evidence = evidence
            self.head = head
            self.changed = changed
            self.gone = gone
            self.isAutoincrement = isAutoincrement
            self.verdict = verdict
        }

        func run() -> Continuity.Verdict {
            let remembered = anchors.map {
                Anchor(position: .integer($0), columns: ["content": UInt64(bitPattern: $0)])
            }
            return Continuity(watermark: watermark, anchors: remembered).verdict(
                head: head.map(Position.integer) ?? .earliest,
                evidence: evidence,
                isAutoincrement: isAutoincrement
            ) { position in
                guard case .integer(let value) = position, !gone.contains(value), value <= head ?? .min else {
                    return nil
                }
                return Anchor(
                    position: position,
                    columns: ["content": changed.contains(value) ? 0 : UInt64(bitPattern: value)]
                )
            }
        }
    }

    private static let all: Set<Int64> = [10, 9, 8, 6, 1]

    @Test(arguments: [
        // Watched all the time: only a head that went back is a break.
        Case("nothing new", .seen, head: 10, .same),
        Case("new rows", .seen, head: 12, .same),
        Case("every row updated", .seen, head: 12, changed: all, .same),
        Case("old rows deleted", .seen, head: 12, gone: [1, 6, 8, 9], .same),
        Case("newest rows deleted", .seen, head: 8, .broken(base: .integer(8))),
        Case("newest rows deleted, head between anchors", .seen, head: 7, .broken(base: .integer(6))),
        Case(
            "newest rows deleted, others in their place",
            .seen,
            head: 9,
            changed: [9, 8],
            .broken(base: .integer(6))
        ),
        Case("all rows deleted", .seen, head: nil, .broken(base: .earliest)),
        Case("all rows deleted, ids restarted", .seen, head: 9, changed: all, .broken(base: .earliest)),
        Case("all rows deleted, ids below all others", .seen, head: 0, .broken(base: .earliest)),
        // Perhaps a checkpoint, perhaps written over.
        Case("touched, nothing changed", .touched, head: 10, .same),
        Case("touched, newest rows updated", .touched, head: 12, changed: [10, 9], .same),
        Case("touched, all rows gone", .touched, head: 12, gone: all, .same),
        Case("touched, other rows", .touched, head: 12, changed: all, .broken(base: nil)),
        Case("touched, older copy", .touched, head: 8, .broken(base: .integer(8))),
        // Perhaps another file or table.
        Case("doubtful, nothing changed", .doubtful, head: 10, .same),
        Case("doubtful, newest row gone", .doubtful, head: 12, gone: [10], isAutoincrement: true, .same),
        Case("doubtful, all rows gone", .doubtful, head: 12, gone: all, .same),
        Case("doubtful, older copy that grew", .doubtful, head: 12, changed: [10, 9], .broken(base: .integer(8))),
        Case("doubtful, other rows", .doubtful, head: 12, changed: all, .broken(base: nil)),
        Case("doubtful, other rows and fewer", .doubtful, head: 9, changed: all, .broken(base: nil)),
        Case("doubtful, older copy", .doubtful, head: 8, .broken(base: .integer(8))),
        // Not watched: the anchors decide.
        Case("unseen, nothing changed", .unseen, head: 10, .same),
        Case("unseen, new rows", .unseen, head: 12, .same),
        Case("unseen, newest row gone and new ones", .unseen, head: 12, gone: [10], .same),
        Case("unseen, older copy", .unseen, head: 8, .broken(base: .integer(8))),
        Case("unseen, older copy between anchors", .unseen, head: 7, .broken(base: .integer(6))),
        Case("unseen, older copy that grew", .unseen, head: 12, changed: [10, 9], .broken(base: .integer(8))),
        Case(
            "unseen, older copy that grew to the watermark",
            .unseen,
            head: 10,
            changed: [10],
            .broken(base: .integer(9))
        ),
        Case("unseen, another table", .unseen, head: 12, changed: all, .broken(base: nil)),
        Case("unseen, another empty table", .unseen, head: nil, .broken(base: nil)),
        Case("unseen, all anchors pruned", .unseen, head: 12, gone: all, .broken(base: nil)),
        Case("unseen, all anchors pruned, AUTOINCREMENT", .unseen, head: 12, gone: all, isAutoincrement: true, .same),
        Case(
            "unseen, AUTOINCREMENT, older sequence and nothing left",
            .unseen,
            head: 8,
            gone: all,
            isAutoincrement: true,
            .broken(base: nil)
        ),
        Case(
            "unseen, AUTOINCREMENT, an anchor contradicts",
            .unseen,
            head: 12,
            changed: [10],
            isAutoincrement: true,
            .broken(base: .integer(9))
        ),
    ])
    func `what was found decides about the generation`(testCase: Case) {
        #expect(testCase.run() == testCase.verdict)
    }

    @Test(arguments: [Continuity.Evidence.seen, .touched, .doubtful, .unseen])
    func `where nothing was served nothing can break`(evidence: Continuity.Evidence) {
        var testCase = Case("", evidence, head: 5, .same)
        testCase.watermark = .earliest
        testCase.anchors = []
        #expect(testCase.run() == .same)
    }

    @Test(arguments: [Continuity.Evidence.seen, .touched, .doubtful, .unseen])
    func `a base never lies past the head`(evidence: Continuity.Evidence) {
        // The sequence was set back, and the rows are all there.
        let remembered = [10, 8, 3].map { Anchor(position: .integer($0), columns: ["content": 1]) }
        let verdict = Continuity(watermark: .integer(10), anchors: remembered).verdict(
            head: .integer(5),
            evidence: evidence,
            isAutoincrement: true
        ) { Anchor(position: $0, columns: ["content": 1]) }
        #expect(verdict == .broken(base: .integer(3)))
    }
}

@Suite struct AnchorSpacingTests {
    @Test(arguments: [0, 1, 2, 31, 32, 33, 1000, 1_000_000, 1 << 40, 1 << 62, 1 << 63, .max - 1, .max] as [UInt64])
    func `distances begin at the head, grow, reach the oldest row and are no more than anchors are kept`(span: UInt64) {
        let distances = AnchorSpacing.distances(span: span)
        #expect(distances.first == 0)
        #expect(distances.last == span)
        #expect(distances.count <= Anchor.limit)
        #expect(zip(distances, distances.dropFirst()).allSatisfy { $0 < $1 })
        let steps = zip(distances, distances.dropFirst()).map { $1 - $0 }
        // Growing but for rounding down.
        #expect(zip(steps, steps.dropFirst()).dropLast().allSatisfy { $0 <= $1 + 1 })
    }

    @Test func `short tables are covered row by row`() {
        #expect(AnchorSpacing.distances(span: 5) == [0, 1, 2, 3, 4, 5])
        #expect(AnchorSpacing.distances(span: 31) == Array(0...31))
    }

    @Test func `the newest rows are covered without a gap`() {
        #expect(AnchorSpacing.distances(span: 1_000_000).prefix(4) == [0, 1, 2, 3])
    }
}
