// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// Pages of encoded rows.
extension TableReader {
    /// The greatest length of an event id in bytes.
    private static let idLimit = 1024

    /// Reads and encodes the page after a position.
    ///
    /// It ends after `page_rows` rows looked at or `page_bytes` bytes, or, where the table has no more, at `through`. The
    /// events are encoded in `writer` before they are copied out.
    func page(
        after: Position,
        through: Position,
        generation: Int,
        foundAt: ContinuousClock.Instant?,
        writer: inout ByteWriter
    ) throws -> Segment {
        let compiled = try prepared()
        writer.truncate(to: 0)
        guard through > .earliest else {
            return Segment(generation: generation, after: after, through: after, copying: writer.bytes, events: [])
        }
        let fits = compiled.schema.order.fits
        guard fits(after), fits(through) else {
            throw SourceError(.broken, "'\(after)' or '\(through)' is no position in table '\(watched.table)'")
        }
        try requireUnpruned(after, through)
        let isFirst = after == .earliest
        let last = try end(ofPageAfter: after, through: through, compiled)
        var events: [Segment.Event] = []
        var passedOver = 0
        let query = isFirst ? compiled.firstPage : compiled.pageAfter
        let encoder = compiled.encoder
        let order = compiled.schema.order
        let isDone = try query.run(order.arguments(after) + order.arguments(last), limit: watched.pageRows) {
            statement in
            let position = try position(statement)
            let id = EventID(position, generation: generation)
            try requireShort(id)
            let isGap = encoder.isGap(statement)
            if isGap {
                framing.reset(Self.gap(at: id), at: id, in: &writer)
            } else {
                passedOver += try encode(statement, id, encoder, into: &writer)
            }
            events.append(Segment.Event(position: position, isReset: isGap, end: writer.count))
            return writer.count + passedOver < watched.pageBytes && events.count < watched.pageRows
        }
        return Segment(
            generation: generation,
            after: after,
            through: isDone ? last : events.last?.position ?? last,
            copying: writer.bytes,
            events: events,
            foundAt: foundAt
        )
    }

    /// How far a page may look: with a filter, what is looked at is bounded, not only what is found, or one that lets
    /// nothing pass would hold the read transaction for the length of the table.
    private func end(ofPageAfter after: Position, through: Position, _ compiled: CompiledTable) throws -> Position {
        guard let query = after == .earliest ? compiled.firstSpan : compiled.spanAfter else { return through }
        let order = compiled.schema.order
        var (last, seen) = (through, 0)
        try query.run(order.arguments(after) + order.arguments(through), limit: watched.pageRows) { statement in
            seen += 1
            if seen == watched.pageRows { last = try position(statement) }
            return true
        }
        return last
    }

    /// The reset that stands in the place of an entry which says that writes before it may not have been logged.
    ///
    /// The generation that it begins has the last entry before it as its base.
    private static func gap(at id: EventID) -> Reset {
        var base = id
        if case .integer(let value) = id.position { base.position = .integer(value - 1) }
        var requested = base
        requested.generation = max(0, id.generation - 1)
        return Reset(reason: .rewound, requested: requested, resumedFrom: base)
    }

    /// Refuses a page of which a part was deleted: the poller tells of that, and who asked is told by a reset.
    private func requireUnpruned(_ after: Position, _ through: Position) throws {
        guard let log = compiled?.log, case let floor = try log.floor(head: through), after < floor else { return }
        throw SourceError(.waiting, "log entries up to \(floor) were deleted while those after \(after) were asked for")
    }

    private func requireShort(_ id: EventID) throws {
        guard case .row = id.position, id.description.utf8.count > Self.idLimit else { return }
        throw SourceError(
            .broken,
            "table '\(watched.table)' has a row whose key takes more than \(Self.idLimit) bytes in an event id; set "
                + "feeds.\(watched.feed).key to shorter columns"
        )
    }

    /// Writes a row's event.
    ///
    /// - Returns: How many bytes were read for it that are not in it, as the row is too large.
    private func encode(
        _ statement: SQLiteStatement,
        _ id: EventID,
        _ encoder: EventEncoder,
        into writer: inout ByteWriter
    ) throws -> Int {
        let limit = watched.maxEventBytes
        let start = framing.open(id, in: &writer)
        let dataStart = writer.count
        if try encoder.encode(statement, into: &writer, limit: limit), writer.count - dataStart <= limit {
            framing.close(&writer, from: start)
            return 0
        }
        writer.truncate(to: start)
        var size = try encoder.payloadBytes(statement)
        if size <= limit {
            // Only as JSON is it too large: its size is known when it was written.
            _ = try encoder.encode(statement, into: &writer, limit: .max)
            size = writer.count - start
            writer.truncate(to: start)
        }
        framing.oversize(id, bytes: size, in: &writer)
        return size
    }
}
