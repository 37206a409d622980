// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore
import TestSupport
import Testing

extension DaemonTests {
    /// Followers of `log` and `updated` rebuild tables that are changed in every way, while everything goes wrong at once.
    ///
    /// What is written, and how often who is cut off, follows from a seed, which is printed; `ROWTAIL_REBUILD_SEED` sets it. When it
    /// happens is up to the machine.
    @Suite struct RebuildTests {
        private static let lastID = ExactJSON.integer(1_000_000_000)
        private static let lastText = ExactJSON.text(Array("\u{10FFFF}".utf8))

        private static func table(
            _ name: String,
            _ lastKey: KeyValuePairs<String, ExactJSON> = ["id": lastID],
            watermark: String = "changed",
            settle: String = "2s"
        ) -> RebuiltTable {
            RebuiltTable(
                name: name,
                key: lastKey.map(\.key),
                watermark: watermark,
                settle: settle,
                lastKey: .object(lastKey.map { ExactJSON.Field(name: $0, value: $1) })
            )
        }

        /// The tables of `write_changes.py`.
        private static let tables = [
            table("orders"),
            table("items"),
            table("users", ["name": lastText], watermark: "version", settle: "0s"),
            table("stock", ["place": lastText, "item": lastID]),
            table("notes"),
        ]

        private static let shownDifferences = 3
        private static let isSoak = ProcessInfo.processInfo.environment["ROWTAIL_SOAK"] == "1"

        @Test(arguments: [("wal", isSoak ? 60 : 6), ("delete", 6)])
        func `tables are rebuilt exactly from the log, and but for deletes from what was updated`(
            journalMode: String,
            seconds: Int
        ) async throws {
            let given = ProcessInfo.processInfo.environment["ROWTAIL_REBUILD_SEED"].flatMap { UInt64($0) }
            let seed = given ?? UInt64.random(in: 0..<1_000_000)
            print("ROWTAIL_REBUILD_SEED=\(seed) journal mode \(journalMode)")
            var random = SeededGenerator(seed: seed)

            let directory = try TemporaryDirectory()
            let database = directory.file("app.db")
            let program = TestPrograms.path("write_changes.py")
            try Shell.run("python3", [program, database, "create", journalMode])
            let config = try Self.write(database, in: directory)
            for table in Self.tables {
                let install = try DaemonProcess.run(["capture", "install", "\(table.name)-log", "--config", config])
                #expect(try await install.end() == .exit(0), "\(install.state.value)")
            }

            let first = try await DaemonProcess.start(config: config)
            let port = Watched(first.port)
            let pairs = Self.tables.map { table in
                (
                    table: table, log: ReplicaFollower("\(table.name)-log", .log, of: table),
                    updated: ReplicaFollower("\(table.name)-updated", .updated, of: table)
                )
            }
            let followers = pairs.flatMap { [$0.log, $0.updated] }
            let writer = try RunningProgram(
                "python3",
                [program, database, "write", "\(seed)", "\(seconds * 25)", "\(seconds)"]
            )
            let daemon = try await withThrowingTaskGroup(of: Void.self) { group in
                for follower in followers {
                    let seed = random.next()
                    group.addTask { try await follower.follow(seed: seed) { port.value } }
                }
                let daemon = try await Self.restart(first, config, writer, port, &random)
                let end = try await writer.end(within: .seconds(90))
                try #require(end == .exit(0), "seed \(seed): \(writer.state.value.errors)")
                for follower in followers {
                    _ = try await follower.replica.until("the last row of \(follower.feed)", within: .seconds(60)) {
                        $0.isOver ? true : nil
                    }
                }
                try await group.waitForAll()
                return daemon
            }
            let tables = try Self.rows(writer.state.value.output)
            for (table, log, updated) in pairs {
                let name = "seed \(seed), journal mode \(journalMode), feed"
                let rows = try Dictionary(
                    uniqueKeysWithValues: #require(tables[table.name]).map {
                        (try #require($0.selecting(table.key)), $0)
                    }
                )
                Self.compare(rows, log, updated, name)
            }
            for follower in followers {
                #expect(try await follower.rest(port: daemon.port) == [], "seed \(seed) \(follower.feed)")
            }
            try await Self.end(daemon)
            let counts = followers.map { "\($0.feed) \($0.replica.value.events) in \($0.streams)" }
            print("\(writer.state.value.errors.last ?? ""); events in streams: \(counts.joined(separator: ", "))")
        }

        private static func write(_ database: String, in directory: TemporaryDirectory) throws -> String {
            let feeds = tables.map { table in
                """
                  \(table.name)-log: {table: \(table.name), mode: log}
                  \(table.name)-updated:
                    {table: \(table.name), mode: updated, watermark: \(table.watermark), settle: \(table.settle)}
                """
            }
            return try DaemonProcess.write(
                """
                listen: 127.0.0.1:0
                database: \(database)
                state_directory: \(directory.file("state"))
                poll_interval: 20ms
                # Small, so that clients fall behind the tail and are served from the tables.
                tail_bytes: 64KiB
                page_rows: 20
                drain_timeout: 2s
                feeds:
                \(feeds.joined(separator: "\n"))
                """,
                in: directory
            )
        }

        // MARK: - While it goes on

        /// Ends or kills the daemon again and again while the application writes.
        private static func restart(
            _ first: DaemonProcess,
            _ config: String,
            _ writer: RunningProgram,
            _ port: Watched<Int>,
            _ random: inout SeededGenerator
        ) async throws -> DaemonProcess {
            var daemon = first
            while writer.state.value.end == nil {
                try await ContinuousClock().sleep(for: .milliseconds(Int.random(in: 500...2500, using: &random)))
                if Bool.random(using: &random) {
                    try await noneWasLate(daemon)
                    try await daemon.kill()
                } else {
                    try await end(daemon)
                }
                daemon = try await DaemonProcess.start(config: config)
                let now = daemon.port
                port.update { $0 = now }
            }
            return daemon
        }

        private static func end(_ daemon: DaemonProcess) async throws {
            try await noneWasLate(daemon)
            #expect(try await daemon.terminate() == .exit(0), "\(daemon.log)")
            for line in daemon.log where line.contains(" error ") || line.contains("history broke") {
                Issue.record("\(line)")
            }
        }

        private static func noneWasLate(_ daemon: DaemonProcess) async throws {
            #expect(try await daemon.metric("rowtail_late_rows_total") == 0)
        }

        // MARK: - At the end

        /// The rows of each table, as the writer printed them.
        private static func rows(_ lines: [String]) throws -> [String: [ExactJSON]] {
            try lines.reduce(into: [:]) { tables, line in
                let parts = line.split(separator: " ", maxSplits: 2)
                guard parts.count == 3, parts[0] == "row" else { throw NotInTime(description: "the line '\(line)'") }
                tables[String(parts[1]), default: []].append(try ExactJSON(parts[2]))
            }
        }

        /// Compares what both followers have with the rows, and names the first differences.
        private static func compare(
            _ rows: [ExactJSON: ExactJSON],
            _ log: ReplicaFollower,
            _ updated: ReplicaFollower,
            _ name: String
        ) {
            let (logged, newest) = (log.replica.value, updated.replica.value)
            for (follower, replica) in [(log, logged), (updated, newest)] {
                #expect(follower.streams > 1, "\(name) \(follower.feed)")
                #expect(replica.faults.isEmpty, "\(name) \(follower.feed)")
                // After a fault it followed no further.
                guard replica.faults.isEmpty else { continue }
                for (key, row) in rows.filter({ replica.rows[$0.key] != $0.value }).prefix(shownDifferences) {
                    let found = replica.rows[key].map { "\($0)" } ?? "nothing"
                    Issue.record("\(name) \(follower.feed): \(key) is \(row), the client has \(found)")
                }
            }
            guard logged.faults.isEmpty else { return }
            for (key, row) in logged.rows.filter({ rows[$0.key] == nil }).prefix(shownDifferences) {
                Issue.record("\(name) \(log.feed): \(key) is gone, the client has \(row)")
            }
            // Deleted rows are still there, and states in between are left out; but nothing comes that never was.
            for row in newest.everyRow.subtracting(logged.everyRow).prefix(shownDifferences) {
                Issue.record("\(name) \(updated.feed): there never was \(row)")
            }
        }
    }
}
