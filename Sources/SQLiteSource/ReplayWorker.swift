// SPDX-License-Identifier: Apache-2.0

import Dispatch
import RowtailCore
import Synchronization

/// One reader of a ``ReplayPool``: a queue, and a connection to each file that it was asked for.
final class ReplayWorker: Sendable {
    private struct State: ~Copyable {
        var connections: [String: DatabaseConnection] = [:]
        var readers: [String: TableReader] = [:]
        var writer = ByteWriter()
    }

    /// Where this worker reads.
    let queue: DispatchQueue

    // Taken by this worker's own queue alone, so it never waits.
    private let state = Mutex(State())

    init(number: Int) {
        queue = DispatchQueue(label: "rowtail.replay.\(number)")
    }

    /// Reads a page.
    func page(_ source: SQLiteFeedSource, after: Position, through: Position, generation: Int) throws -> Segment {
        try state.withLock { state in
            let (connection, reader) = try Self.open(source, &state)
            return try connection.read { db in
                try reader.prepare(db)
                return try reader.page(
                    after: after,
                    through: through,
                    generation: generation,
                    foundAt: nil,
                    writer: &state.writer
                )
            }
        }
    }

    /// Finds the position before the newest rows.
    func position(_ source: SQLiteFeedSource, beforeNewest count: Int, through: Position) throws -> Position {
        try state.withLock { state in
            let (connection, reader) = try Self.open(source, &state)
            return try connection.read { db in
                try reader.prepare(db)
                return try reader.position(beforeNewest: count, through: through, db)
            }
        }
    }

    private static func open(
        _ source: SQLiteFeedSource,
        _ state: inout State
    ) throws -> (DatabaseConnection, TableReader) {
        if let connection = state.connections[source.path], connection.identity == FileStat(path: source.path)?.identity
        {
            if let reader = state.readers[source.name] { return (connection, reader) }
            let reader = TableReader(source.watched, path: source.path, framing: source.framing)
            state.readers[source.name] = reader
            return (connection, reader)
        }
        // Another file has the name: what was compiled for the old one goes with it.
        state.readers = [:]
        state.connections[source.path] = nil
        state.connections[source.path] = try DatabaseConnection(path: source.path, label: "rowtail.replay")
        return try open(source, &state)
    }
}
