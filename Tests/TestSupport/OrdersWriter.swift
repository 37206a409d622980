// SPDX-License-Identifier: Apache-2.0

package import GRDB

extension DatabaseQueue {
    /// Adds orders of a certain size in one transaction, over a connection that stays open as an application's does.
    package func insertOrders(_ count: Int, bytes: Int) throws {
        let text = String(repeating: "x", count: bytes)
        try write { db in
            let statement = try db.cachedStatement(sql: "INSERT INTO orders (customer, total) VALUES (?, 1.5)")
            for _ in 0..<count { try statement.execute(arguments: [text]) }
        }
    }
}
