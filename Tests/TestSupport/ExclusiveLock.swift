// SPDX-License-Identifier: Apache-2.0

import GRDB

/// An application's exclusive lock on a database, as a long write transaction holds it.
package final class ExclusiveLock: Sendable {
    private let connection: DatabaseQueue

    /// Takes the lock.
    package init(_ path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.allowsUnsafeTransactions = true
        connection = try DatabaseQueue(path: path, configuration: configuration)
        try connection.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
    }

    /// Gives it back.
    package func release() throws {
        try connection.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
        try connection.close()
    }
}
