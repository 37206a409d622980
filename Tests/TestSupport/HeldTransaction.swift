// SPDX-License-Identifier: Apache-2.0

import GRDB

/// A writer's transaction that stays open until it is told to end.
package final class HeldTransaction: Sendable {
    private let writer: DatabaseQueue

    /// Begins a transaction and runs SQL in it.
    ///
    /// - Parameters:
    ///   - path: The database file.
    ///   - begin: `BEGIN IMMEDIATE` or `BEGIN EXCLUSIVE`, or pragmas and one of them.
    ///   - sql: What to do in the transaction.
    /// - Throws: What SQLite throws.
    package init(_ path: String, _ begin: String = "BEGIN EXCLUSIVE", _ sql: String = "") throws {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        configuration.busyMode = .timeout(10)
        writer = try DatabaseQueue(path: path, configuration: configuration)
        try execute("\(begin); \(sql)")
    }

    /// Runs SQL in the transaction.
    package func execute(_ sql: String) throws {
        try writer.writeWithoutTransaction { try $0.execute(sql: sql) }
    }

    /// Commits and closes the connection.
    package func commit() throws {
        try execute("COMMIT")
        try writer.close()
    }
}
