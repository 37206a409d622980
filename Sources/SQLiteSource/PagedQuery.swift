// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// Queries whose rows follow each other, read as if they were one.
struct PagedQuery {
    private let parts: [PreparedQuery]

    /// Compiles the queries; the last parameter of each bounds the number of its rows.
    init(_ db: Database, _ sql: [String]) throws {
        parts = try sql.map { try PreparedQuery(db, $0) }
    }

    /// Calls `body` on each row until it returns false or there were as many as the limit says.
    ///
    /// - Returns: Whether there were no more rows.
    @discardableResult
    func run(_ arguments: [KeyValue?], limit: Int, _ body: (SQLiteStatement) throws -> Bool) throws -> Bool {
        var left = limit
        for part in parts {
            let isDone = try part.run(arguments + [.integer(Int64(left))]) { statement in
                left -= 1
                return try body(statement)
            }
            guard isDone, left > 0 else { return false }
        }
        return true
    }
}
