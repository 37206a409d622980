// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import RowtailCore
import Synchronization

/// Which file has the name, and when it is opened anew.
extension DatabasePoller {
    /// What is waited for before the file is opened anew.
    enum Reopening {
        /// Nothing.
        case free
        /// Other connections of this process to the file are being closed.
        case released
        /// All of them are closed, and none is opened before this one.
        case alone
    }

    /// The connection to the file that has the name now, and its `data_version`.
    func current() throws -> (DatabaseConnection, version: Int64) {
        let now = FileStat(path: path)
        if let connection, !mustReopen, let now, now.identity == connection.identity {
            guard connection.lostCompanions else { return try checked(connection, now) }
            try release()
        }
        if case .released = reopening { throw Self.released(path) }
        for item in feeds { try? item.load() }
        if connection != nil || mustReopen || now?.identity != lastStat?.identity { openingDoubt = .unseen }
        let opened = try reopen()
        mustReopen = false
        onSchedule(.watch)
        return try (opened, version(opened))
    }

    private func reopen() throws -> DatabaseConnection {
        letGo()
        mustRead = true
        let opened = try DatabaseConnection(path: path, label: "rowtail.poll")
        openings.add(1, ordering: .releasing)
        connection = opened
        lastStat = FileStat(path: path)
        for item in feeds { item.doubt(openingDoubt) }
        openingDoubt = .unseen
        return opened
    }

    /// Asks a connection that was just opened, which opens the files beside the database for it.
    private func version(_ connection: DatabaseConnection) throws -> Int64 {
        let version = try connection.dataVersion()
        answered(connection)
        return version
    }

    /// Takes note of what a connection has open now, and lets others of this process open the file again.
    private func answered(_ connection: DatabaseConnection) {
        connection.noteCompanions()
        guard case .alone = reopening else { return }
        reopening = .free
        for pool in pools { pool.resume(path) }
    }

    func letGo() {
        for item in feeds { item.reader.reset() }
        connection = nil
        lastDataVersion = nil
    }

    /// Closes every connection that this process has to the file, as what they share in SQLite would be taken up by the
    /// next: the index of a log that isn't that of the file any more.
    ///
    /// - Throws: Always, as the file is opened anew once they are closed.
    private func release() throws -> Never {
        letGo()
        mustRead = true
        openingDoubt = .unseen
        reopening = .released
        logger.notice("the files beside the database are others, it is opened anew")
        let closed = pools.map { pool in
            let promise = eventLoop.makePromise(of: Void.self)
            pool.release(path) { promise.succeed() }
            return promise.futureResult
        }
        EventLoopFuture.andAllComplete(closed, on: eventLoop).whenComplete { _ in
            self.assumeIsolated { poller in
                poller.reopening = .alone
                poller.onSchedule(.retry)
            }
        }
        throw Self.released(path)
    }

    private static func released(_ path: String) -> SourceError {
        SourceError(
            .busy,
            "the '-wal' or '-shm' file of database '\(path)' was replaced while it was open; it is opened anew"
        )
    }

    /// Reads `data_version`, and opens the file anew where it was written without that counting.
    private func checked(
        _ connection: DatabaseConnection,
        _ now: FileStat
    ) throws -> (DatabaseConnection, version: Int64) {
        let version = try connection.dataVersion()
        guard version == lastDataVersion else {
            // Taken after the version: a commit in between shows in the next version. Taken before, it would look
            // like a write that SQLite doesn't know of.
            lastStat = FileStat(path: path)
            answered(connection)
            return (connection, version)
        }
        guard now.size != lastStat?.size || now.modified != lastStat?.modified else { return (connection, version) }
        // Written over in place, or, in WAL mode, a checkpoint: pages in SQLite's cache may be of another file.
        let isCheckpoint = FileStat(path: "\(FileAccess.realPath(path))-wal") != nil
        if !isCheckpoint, connection.usesWAL { try release() }
        openingDoubt = isCheckpoint ? .touched : .unseen
        let reopened = try reopen()
        return try (reopened, self.version(reopened))
    }
}
