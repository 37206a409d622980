// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Decides whether a table still holds the history that was served.
///
/// Pure: it is given what was found and asks for the rows at anchors through a closure.
struct Continuity {
    /// What is known about the time since the last poll, from the least to the most doubtful.
    enum Evidence: Int, Comparable {
        /// The same file was watched all the time.
        case seen
        /// The same, but the file was written in a way that a checkpoint explains, and so does another file's content.
        case touched
        /// The same, but the database's schema changed, as it does when a table is rebuilt or a backup restored.
        case doubtful
        /// The daemon was down, the file is another or was written over, or the table's own schema text changed.
        case unseen

        static func < (one: Evidence, other: Evidence) -> Bool {
            one.rawValue < other.rawValue
        }
    }

    /// What follows for the feed.
    enum Verdict: Equatable {
        /// Nothing happened.
        case same
        /// A generation begins with this base; `nil` when nothing is shared.
        case broken(base: Position?)
    }

    /// The newest position handed over.
    var watermark: Position
    /// Rows that were there, newest first.
    var anchors: [Anchor]
    /// Whether a row that is written again moves to a new position, so that a head before the watermark means nothing.
    var rowsMove = false

    /// Decides.
    ///
    /// - Parameters:
    ///   - head: The newest position now.
    ///   - evidence: What is known of the time since.
    ///   - isAutoincrement: Whether positions are never given out twice.
    ///   - row: The row with the key of a position, where it stands now; `nil` when there is none.
    /// - Returns: Whether the history goes on, and if not, from which base.
    func verdict(
        head: Position,
        evidence: Evidence,
        isAutoincrement: Bool,
        row: (Position) throws -> Anchor?
    ) rethrows -> Verdict {
        guard watermark > .earliest else { return .same }
        if rowsMove { return try verdictOfMovingRows(head: head, evidence: evidence, row: row) }
        let wentBack = head < watermark
        if case .seen = evidence, !wentBack { return .same }
        let proof = try prove(upTo: head, row)
        switch evidence {
        case .seen:
            // Not the head: other rows may have come in the place of those that went, and the head be one of them. Near
            // the head no row is without an anchor, so that where rows were only deleted, it is the base all the same.
            return .broken(base: proof.newestHolding ?? .earliest)
        case .touched:
            // Checkpoints are everyday, and rows that were all updated since they were remembered may be, too; another
            // file is one where none of them is what it was.
            if wentBack { return .broken(base: proof.newestHolding) }
            return proof.someArePresent && proof.newestHolding == nil ? .broken(base: nil) : .same
        case .doubtful:
            if wentBack { return .broken(base: proof.newestHolding) }
            return proof.someArePresent && !proof.newestPresentHolds ? .broken(base: proof.newestHolding) : .same
        case .unseen:
            guard proof.someArePresent else {
                return isAutoincrement && !wentBack ? .same : .broken(base: nil)
            }
            if proof.newestPresentHolds, !wentBack { return .same }
            return .broken(base: proof.newestHolding)
        }
    }

    /// Decides for a table whose rows move ahead when they are written.
    ///
    /// A row that stands behind where it stood is of an older copy; one that stands ahead of it is not. Rows that are gone
    /// say nothing, unless all of them are, or nothing newer is there.
    private func verdictOfMovingRows(
        head: Position,
        evidence: Evidence,
        row: (Position) throws -> Anchor?
    ) rethrows -> Verdict {
        guard evidence > .seen, !anchors.isEmpty else { return .same }
        var (someAreBehind, someAreAhead, newestIsGone) = (false, false, false)
        var newestHolding: Position?
        let telling = tellingColumns()
        for (index, anchor) in anchors.enumerated() {
            guard let found = try row(anchor.position) else {
                if index == 0 { newestIsGone = true }
                continue
            }
            if found.position > anchor.position {
                someAreAhead = true
            } else if found.position < anchor.position {
                someAreBehind = true
            } else if anchor.holds(found.columns, telling: telling(anchor)) {
                newestHolding = newestHolding ?? anchor.position
            }
            // One in its place with another content was written without its time, or is another row: it proves nothing.
        }
        if someAreBehind { return .broken(base: newestHolding) }
        if someAreAhead || evidence == .touched { return .same }
        if newestHolding == nil || (newestIsGone && head < watermark) { return .broken(base: newestHolding) }
        return .same
    }

    private struct Proof {
        var someArePresent = false
        var newestPresentHolds = false
        var newestHolding: Position?
    }

    private func prove(upTo head: Position, _ row: (Position) throws -> Anchor?) rethrows -> Proof {
        var proof = Proof()
        let telling = tellingColumns()
        for anchor in anchors where anchor.position <= head {
            guard let found = try row(anchor.position) else { continue }
            let holds = anchor.holds(found.columns, telling: telling(anchor))
            if !proof.someArePresent { proof.newestPresentHolds = holds }
            proof.someArePresent = true
            if holds {
                proof.newestHolding = anchor.position
                break
            }
        }
        return proof
    }

    /// The columns of a row whose values no other remembered row has.
    private func tellingColumns() -> (Anchor) -> Set<String> {
        let occurrences = occurrences()
        return { anchor in Set(anchor.columns.filter { occurrences[$0.key]?[$0.value] == 1 }.keys) }
    }

    /// In how many of the remembered rows each column has each of its values.
    private func occurrences() -> [String: [UInt64: Int]] {
        var occurrences: [String: [UInt64: Int]] = [:]
        for anchor in anchors {
            for (name, hash) in anchor.columns {
                occurrences[name, default: [:]][hash, default: 0] += 1
            }
        }
        return occurrences
    }
}
