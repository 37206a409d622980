// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What the triggers cost the application: the time of writes without and with them, in one transaction that is taken back.
package struct CaptureCost: Sendable {
    /// The time of one write, the median of all rounds.
    package struct Pair: Sendable {
        /// `insert`, `update` or `delete`.
        package var name: String
        /// Without triggers.
        package var without: Duration
        /// With triggers.
        package var with: Duration

        /// How many times as long a write takes.
        package var ratio: Double { with / without }
    }

    /// Rounds of each kind, one without and one with triggers in turn.
    package static let rounds = 15
    /// Writes of each kind in a round.
    package static let writes = 200

    /// Insert, update and delete.
    package var pairs: [Pair] = []

    /// Writes one row again and again; what the application does beside that, such as commits, is not in it.
    ///
    /// - Throws: ``SourceError`` with the remedy.
    package init(_ watched: WatchedTable, path: String) throws {
        struct Undone: Error {}
        var pairs: [Pair] = []
        do {
            try CaptureDatabase(path: path).write { db in
                let table = try CapturedTable(db, watched, path: path)
                pairs = try Self.measure(db, table, feed: watched.feed)
                throw Undone()
            }
        } catch is Undone {}
        self.pairs = pairs
    }

    private static func measure(_ db: Database, _ table: CapturedTable, feed: String) throws -> [Pair] {
        guard let sample = try CaptureTrial(table).sample(db) else {
            throw SourceError(
                .broken,
                "table '\(table.name)' is empty and takes no made-up row; measure when it has rows"
            )
        }
        for statement in try CaptureScript.install(db, table, feed: feed).statements { try db.execute(sql: statement) }
        let state = try CaptureState(db, table, feed: feed)
        let triggers = CapturePlan(table, id: state.current ?? 0).triggers
        var times: [[[Duration]]] = [[[], []], [[], []], [[], []]]
        for _ in 0..<rounds {
            for (side, hasTriggers) in [false, true].enumerated() {
                for trigger in triggers {
                    try db.execute(sql: hasTriggers ? trigger.sql : "DROP TRIGGER \(trigger.name)")
                }
                let (insert, delete) = try (statement(db, sample.insert), statement(db, sample.delete))
                let update = try statement(db, sample.update)
                var round = [Duration.zero, .zero, .zero]
                for _ in 0..<writes {
                    round[1] += try time(update)
                    round[2] += try time(delete)
                    round[0] += try time(insert)
                }
                for kind in round.indices { times[kind][side].append(round[kind] / writes) }
            }
        }
        return zip(["insert", "update", "delete"], times).map { name, sides in
            Pair(name: name, without: median(sides[0]), with: median(sides[1]))
        }
    }

    private static func statement(
        _ db: Database,
        _ step: (sql: String, arguments: StatementArguments)
    ) throws -> Statement {
        let statement = try db.makeStatement(sql: step.sql)
        statement.arguments = step.arguments
        return statement
    }

    private static func time(_ statement: Statement) throws -> Duration {
        let start = ContinuousClock.now
        try statement.execute()
        return ContinuousClock.now - start
    }

    private static func median(_ times: [Duration]) -> Duration {
        times.sorted()[times.count / 2]
    }
}
