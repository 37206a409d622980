// SPDX-License-Identifier: Apache-2.0

import Foundation
package import GRDB

/// A real SQLite file with a writer of its own, as the application that rowtail watches.
package final class TemporaryDatabase: Sendable {
    /// The table that most tests watch.
    package static let orders = """
        CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT, total REAL);
        """

    /// The directory that holds the file and those that SQLite puts beside it.
    package let directory: TemporaryDirectory

    /// The file's path.
    package let path: String

    /// Makes a file that holds what `sql` says.
    ///
    /// The journal mode is `wal`, `delete`, `truncate` or `persist`.
    package init(journalMode: String = "wal", _ sql: String = orders, name: String = "app.db") throws {
        directory = try TemporaryDirectory()
        path = directory.file(name)
        try execute("PRAGMA journal_mode = \(journalMode); \(sql)")
    }

    /// Runs SQL over a connection that is opened and closed for it.
    package func execute(_ sql: String) throws {
        let writer = try connect()
        try writer.writeWithoutTransaction { try $0.execute(sql: sql) }
        try writer.close()
    }

    /// A connection that stays open, as an application has it.
    package func connect() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Runs SQL by the `sqlite3` program: another process, as outside writers are.
    ///
    /// - Returns: What it printed.
    @discardableResult
    package func shell(_ sql: String) throws -> String {
        try Shell.run("sqlite3", ["-cmd", ".timeout 10000", path, sql])
    }

    /// Adds orders with the next ids.
    package func insertOrders(_ count: Int, customer: String = "ada") throws {
        let writer = try connect()
        try writer.write { db in
            for _ in 0..<count {
                try db.execute(sql: "INSERT INTO orders (customer, total) VALUES (?, 1.5)", arguments: [customer])
            }
        }
        try writer.close()
    }
}
