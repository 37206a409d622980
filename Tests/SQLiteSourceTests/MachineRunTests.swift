// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// What a machine that ends without warning takes with it: commits that weren't synced, and that clients have the rows of.
@Suite(.timeLimit(.minutes(1))) struct MachineRunTests {
    private let database: TemporaryDatabase
    private let path: String

    init() throws {
        database = try TemporaryDatabase()
        path = database.directory.file("state")
    }

    private func watch(_ state: StateDirectory) async throws -> WatchedFile {
        let watch = await WatchedFile(database.path, state: state)
        try await watch.poll()
        return watch
    }

    /// Serves rows 1 to 3, of which the record is told, and then 4 and 5, of which it isn't; the last two are lost, and their
    /// ids given out again.
    private func serveAndLose(_ run: String?) async throws {
        try database.insertOrders(3)
        let state = try StateDirectory(path: path, run: run)
        let watch = try await watch(state)
        await watch.poller.upkeep()
        try database.insertOrders(2)
        #expect(try await watch.poll() == ["4 5"])
        state.release()
        try database.execute("DELETE FROM orders WHERE id > 3; UPDATE sqlite_sequence SET seq = 3")
        try database.insertOrders(4)
    }

    @Test func `clients are rewound to what was stored after the machine was cut off`() async throws {
        try await serveAndLose("the first")
        let state = try StateDirectory(path: path, run: "the second")
        let watch = try await watch(state)
        #expect(watch.feed.status.history.breaks.map(\.base) == [.integer(3)])
        // Who has the rows that are gone gets those with their ids now, and is told.
        #expect(
            try await watch.follow(after: .integer(5)).take() == [
                "reset rewound 5 -> 3@1", "4@1", "5@1", "6@1", "7@1",
            ]
        )
        #expect(try await watch.follow(after: .integer(2)).take() == ["3@1", "4@1", "5@1", "6@1", "7@1"])

        // Once.
        await watch.poller.upkeep()
        state.release()
        let again = try await self.watch(try StateDirectory(path: path, run: "the second"))
        #expect(again.feed.status.history.current == 1)
    }

    @Test(arguments: [nil, "the same"])
    func `a process that ends alone leaves every commit where it is`(_ run: String?) async throws {
        try await serveAndLose(run)
        let watch = try await watch(try StateDirectory(path: path, run: run))
        #expect(watch.feed.status.history.current == 0)
    }

    @Test func `an end in order, or a start at which nothing was handed over, leaves no doubt`() async throws {
        try database.insertOrders(3)
        for run in ["the first", "the second", "the third"] {
            let state = try StateDirectory(path: path, run: run)
            let watch = try await watch(state)
            #expect(watch.feed.status.history.current == 0)
            try database.insertOrders(1)
            try await watch.poll()
            await watch.poller.close()
            state.release()
        }
        // Neither does one that finds nothing new and is cut off.
        let idle = try StateDirectory(path: path, run: "the fourth")
        _ = try await watch(idle)
        idle.release()
        #expect(try await watch(try StateDirectory(path: path, run: "the fifth")).feed.status.history.current == 0)
    }
}
