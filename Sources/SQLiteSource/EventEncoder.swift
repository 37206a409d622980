// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// Writes what a statement stands on as an event's data: a row, or an entry of a log.
enum EventEncoder {
    case row(RowEncoder)
    case entry(LogEntryEncoder)

    /// Writes the data, unless it turns out to be too large before all of it was written.
    ///
    /// - Returns: Whether all of it was written.
    func encode(_ statement: SQLiteStatement, into writer: inout ByteWriter, limit: Int) throws -> Bool {
        switch self {
        case .row(let encoder): encoder.encode(statement, into: &writer, limit: limit)
        case .entry(let encoder): try encoder.encode(statement, into: &writer, limit: limit)
        }
    }

    /// The size of the texts and blobs in bytes: less than the data takes, and known without writing it.
    func payloadBytes(_ statement: SQLiteStatement) throws -> Int {
        switch self {
        case .row(let encoder): encoder.payloadBytes(statement)
        case .entry(let encoder): try encoder.payloadBytes(statement)
        }
    }

    /// Whether this is no event, but says that writes before it may be missing.
    func isGap(_ statement: SQLiteStatement) -> Bool {
        switch self {
        case .row: false
        case .entry(let encoder): encoder.isGap(statement)
        }
    }
}
