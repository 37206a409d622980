// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// The rows that prove that a file still holds the history that was served.
extension TableReader {
    /// How many of the newest rows are remembered without a gap, where rows are spaced in time.
    private static let denseRows = 8

    /// Remembers rows back from the head, spaced exponentially, so that few prove much.
    func anchors(backFrom head: Position, _ db: Database) throws -> [Anchor] {
        let compiled = try prepared()
        guard let oldest = try single(compiled.oldest), oldest <= head, let last = number(of: head),
            let first = number(of: oldest), first <= last
        else { return [] }
        var anchors = try newest(upTo: head)
        let query = try PreparedQuery(db, compiled.queries.rowUpTo)
        for distance in AnchorSpacing.distances(span: UInt64(bitPattern: last &- first)) {
            guard anchors.count < Anchor.limit else { break }
            let target = Int64(bitPattern: UInt64(bitPattern: last) &- distance)
            if let newest = anchors.last.flatMap({ number(of: $0.position) }), newest <= target { continue }
            guard let value = value(of: target), let anchor = try anchor(query, [value]) else { break }
            if let before = anchors.last, anchor.position >= before.position { continue }
            anchors.append(anchor)
        }
        return anchors
    }

    /// The newest rows, where distances are times and say nothing of how many rows are between.
    private func newest(upTo head: Position) throws -> [Anchor] {
        let compiled = try prepared()
        guard compiled.schema.order.isKeyed else { return [] }
        return try newestPositions(through: head, limit: Self.denseRows).compactMap(anchor)
    }

    /// A watermark as a number that distances are measured in.
    private func number(of position: Position) -> Int64? {
        switch position {
        case .earliest: nil
        case .integer(let value): value
        case .row(let row):
            if case .version? = format, case .integer(let value) = row.watermark {
                value
            } else {
                format?.time(of: row.watermark)?.microseconds
            }
        }
    }

    private func value(of number: Int64) -> KeyValue? {
        guard let format, format != .version else { return .integer(number) }
        return format.value(at: UnixTime(microseconds: number))
    }

    /// Remembers the row with the key of a position, wherever it stands now; `nil` when there is no such row.
    func anchor(at position: Position) throws -> Anchor? {
        let compiled = try prepared()
        guard position > .earliest, compiled.schema.order.fits(position) else { return nil }
        return try anchor(compiled.rowAt, compiled.schema.order.keyArguments(position))
    }

    private func anchor(_ query: PreparedQuery, _ arguments: [KeyValue?]) throws -> Anchor? {
        let compiled = try prepared()
        let names = compiled.queries.anchorColumns
        let offset = compiled.schema.order.count
        var anchor: Anchor?
        try query.run(arguments) { statement in
            var columns: [String: UInt64] = [:]
            for (index, name) in names.enumerated() {
                columns[name] = ColumnHash.hash(statement, CInt(index + offset))
            }
            anchor = Anchor(position: try position(statement), columns: columns)
            return false
        }
        return anchor
    }
}
