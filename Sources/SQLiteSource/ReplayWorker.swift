// SPDX-License-Identifier: Apache-2.0

import Dispatch
import RowtailCore
import Synchronization

/// One reader of a ``ReplayPool``: a queue, and a connection to each file that it was asked for.
final class ReplayWorker: Sendable {
    private struct Opened {
        var connection: DatabaseConnection
        /// How often the poller had opened the file before this connection was opened.
        var pollerOpened: Int
    }

    private struct State: ~Copyable {
        var connections: [String: Opened] = [:]
        var readers: [Int: TableReader] = [:]
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
            return try connection.read(with: reader) { _ in
                try reader.page(
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
            var position = through
            var left = count
            // A page's worth of rows at a time, as no read may hold the application up for longer.
            while left > 0, position > .earliest {
                let step = min(left, source.watched.pageRows)
                position = try connection.read(with: reader) { _ in
                    try reader.position(beforeNewest: step, through: position)
                }
                left -= step
            }
            return position
        }
    }

    /// Finds the position before the rows of a time.
    func position(_ source: SQLiteFeedSource, before time: UnixTime, through head: Position) throws -> Position {
        try state.withLock { state in
            let (connection, reader) = try Self.open(source, &state)
            return try connection.read(with: reader) { try reader.position(before: time, through: head, $0) }
        }
    }

    /// Closes what was opened for other files and sources than these.
    func keep(paths: Set<String>, sources: Set<Int>) {
        state.withLock { state in
            state.readers = state.readers.filter { sources.contains($0.key) }
            state.connections = state.connections.filter { paths.contains($0.key) }
        }
    }

    /// Closes what was opened for a file.
    func close(_ path: String) {
        state.withLock { state in
            state.readers = [:]
            state.connections[path] = nil
        }
    }

    private static func open(
        _ source: SQLiteFeedSource,
        _ state: inout State
    ) throws -> (DatabaseConnection, TableReader) {
        let pollerOpened = source.opened
        if let opened = state.connections[source.path], opened.pollerOpened == pollerOpened,
            opened.connection.identity == FileStat(path: source.path)?.identity
        {
            if let reader = state.readers[source.number] { return (opened.connection, reader) }
            let reader = TableReader(source.watched, path: source.path, framing: source.framing)
            state.readers[source.number] = reader
            return (opened.connection, reader)
        }
        // Another file has the name, or the poller found reason to open it anew, as when it was written over: what was
        // compiled for and cached of the old one goes.
        state.readers = [:]
        state.connections[source.path] = nil
        let connection = try DatabaseConnection(path: source.path, label: "rowtail.replay")
        state.connections[source.path] = Opened(connection: connection, pollerOpened: pollerOpened)
        return try open(source, &state)
    }
}
