// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Writes a row of a table in all ways, and takes that back.
struct CaptureTrial {
    private let table: CapturedTable
    private let quotedTable: String

    init(_ table: CapturedTable) {
        self.table = table
        quotedTable = TableQueries.quoted(table.name)
    }

    /// Statements that write one row, each with its arguments, so that the table is as before when all have run.
    struct Sample {
        var update: (sql: String, arguments: StatementArguments)
        var delete: (sql: String, arguments: StatementArguments)
        var insert: (sql: String, arguments: StatementArguments)
    }

    /// Updates, deletes and inserts a row inside a savepoint that is taken back.
    ///
    /// - Parameters:
    ///   - db: A connection inside a write transaction.
    ///   - observing: Looks at what was written before it is taken back.
    /// - Returns: Why a write was refused; `nil` when none was.
    /// - Throws: What `observing` throws.
    func run(_ db: Database, observing: () throws -> Void = {}) throws -> String? {
        var refusal: String?
        try db.inSavepoint {
            do {
                guard let sample = try sample(db) else {
                    refusal = "it is empty"
                    return .rollback
                }
                for step in [sample.update, sample.delete, sample.insert] {
                    try db.execute(sql: step.sql, arguments: step.arguments)
                }
                try observing()
            } catch let error as DatabaseError {
                refusal = error.message ?? "\(error.resultCode)"
            }
            return .rollback
        }
        return refusal
    }

    /// A row of the table, or one made up; `nil` where the table's constraints don't take that one.
    func sample(_ db: Database) throws -> Sample? {
        let columns = try storedColumns(db)
        if try Row.fetchOne(db, sql: "SELECT 1 FROM main.\(quotedTable) LIMIT 1") == nil {
            let numbers = columns.map { table.content(of: $0) == .noNumbers ? "'rowtail'" : "1" }
            let names = columns.map(TableQueries.quoted).joined(separator: ", ")
            do {
                try db.execute(
                    sql: "INSERT INTO main.\(quotedTable) (\(names)) VALUES (\(numbers.joined(separator: ", ")))"
                )
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                return nil
            }
        }
        // The rowid goes with the row, so that it comes back with it.
        let isHidden = !columns.contains { $0 == table.identity[0].column } && table.identity.count == 1
        let names = columns.map(TableQueries.quoted) + (isHidden ? [table.identity[0].column] : [])
        guard
            let row = try Row.fetchOne(
                db,
                sql: "SELECT \(names.joined(separator: ", ")) FROM main.\(quotedTable) LIMIT 1"
            )
        else { return nil }
        let values = Array(row.databaseValues)
        let identity = table.identity.map(\.column)
        let keys = identity.map { name in
            isHidden ? values[values.count - 1] : values[columns.firstIndex(of: name) ?? 0]
        }
        let condition = identity.map { isHidden ? "\($0) = ?" : "\(TableQueries.quoted($0)) = ?" }
            .joined(separator: " AND ")
        let marks = names.map { _ in "?" }.joined(separator: ", ")
        return Sample(
            update: (
                "UPDATE main.\(quotedTable) SET \(names[0]) = \(names[0]) WHERE \(condition)", StatementArguments(keys)
            ),
            delete: ("DELETE FROM main.\(quotedTable) WHERE \(condition)", StatementArguments(keys)),
            insert: (
                "INSERT INTO main.\(quotedTable) (\(names.joined(separator: ", "))) VALUES (\(marks))",
                StatementArguments(values)
            )
        )
    }

    /// The columns that can be written: all but the generated ones.
    private func storedColumns(_ db: Database) throws -> [String] {
        try String.fetchAll(
            db,
            sql: "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid",
            arguments: [table.name]
        )
    }
}
