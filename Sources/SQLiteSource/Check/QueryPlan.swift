// SPDX-License-Identifier: Apache-2.0

import GRDB
import GRDBSQLite

/// How SQLite would run a query, without running it.
///
/// Source: SQLite, "EXPLAIN QUERY PLAN".
struct QueryPlan {
    /// The steps, as SQLite puts them.
    let steps: [String]

    /// Asks for the plan of a query.
    init(_ db: Database, _ sql: String) throws {
        var steps: [String] = []
        try PreparedQuery(db, "EXPLAIN QUERY PLAN \(sql)").run { statement in
            steps.append(String(decoding: RowEncoder.text(statement, 3), as: UTF8.self))
            return true
        }
        self.steps = steps
    }

    /// The first step that takes longer the larger the table is; `nil` when there is none.
    ///
    /// A query that `endsEarly`, after a few rows, may walk along an index.
    func slowStep(endsEarly: Bool) -> String? {
        steps.first { step in
            step.contains("TEMP B-TREE") || (!endsEarly && step.hasPrefix("SCAN ") && !step.contains("CONSTANT ROW"))
        }
    }
}
