// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// What the schema tells of how the table is written, where the feed's mode doesn't send it.
struct SchemaHints {
    private let mode: FeedMode
    private let schema: TableSchema
    private let facts: TableFacts

    init(_ mode: FeedMode, _ schema: TableSchema, _ facts: TableFacts) {
        self.mode = mode
        self.schema = schema
        self.facts = facts
    }

    /// What is worth knowing.
    var findings: [Finding] {
        [replacing].compactMap(\.self) + triggers + [uniqueness].compactMap(\.self)
    }

    private var replacing: Finding? {
        guard mode != .log, SQLWords(facts.text).contain("ON", "CONFLICT", "REPLACE") else { return nil }
        let problem = "the table is declared ON CONFLICT REPLACE: an insert may delete rows, which is not sent"
        return Finding(
            .warning,
            "replace",
            mode == .append
                ? "\(problem), and take the id of a row that was sent, and then is not sent itself" : problem,
            remedy: mode == .append ? "use mode 'log', which sends both" : "use mode 'log', which sends it"
        )
    }

    private var triggers: [Finding] {
        guard mode != .log else { return [] }
        return facts.triggers.compactMap { trigger in
            let writes = TriggerWrites(trigger)
            let place = TableInspector.equal(trigger.table, facts.table) ? "" : " on table '\(trigger.table)'"
            if writes.deletes.contains(facts.table) || writes.replaces.contains(facts.table) {
                return Finding(
                    .warning,
                    "trigger",
                    "trigger '\(trigger.name)'\(place) deletes rows of the table: one that is gone before it was read is not sent",
                    remedy: "use mode 'log', which sends it and its deletion"
                )
            }
            guard mode == .append, writes.updates.contains(facts.table) else { return nil }
            return Finding(
                .advice,
                "trigger",
                "trigger '\(trigger.name)'\(place) updates rows of the table, which mode 'append' doesn't send"
            )
        }
    }

    /// Indexes that REPLACE and UPSERT look at.
    private var uniqueness: Finding? {
        let unique = facts.indexes.filter { index in
            index.isUnique && !(index.columns.count == 1 && TableInspector.equal(index.columns[0], schema.watermark))
        }
        guard mode == .append, !unique.isEmpty else { return nil }
        let columns = unique.map { "(\($0.columns.joined(separator: ", ")))" }.joined(separator: ", ")
        return Finding(
            .advice,
            "replace",
            "unique besides '\(schema.watermark)': \(columns); where the application writes INSERT OR REPLACE, the new row is "
                + "sent and not that the old one went, and where it writes an UPSERT, the changed row is not sent"
        )
    }
}

/// What the body of a trigger writes; names in lower case.
struct TriggerWrites {
    let updates: Names
    let deletes: Names
    let replaces: Names

    /// Names of tables, compared as SQLite does.
    struct Names {
        fileprivate let names: [String]

        func contains(_ table: String) -> Bool {
            names.contains { TableInspector.equal($0, table) }
        }
    }

    init(_ trigger: TableFacts.Trigger) {
        let words = SQLWords(trigger.text)
        let actions = ["ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE"]
        updates = Names(
            names: words.names(after: "UPDATE") + actions.flatMap { words.names(after: "UPDATE", "OR", $0) }
        )
        // Before the body stands the event, DELETE ON or UPDATE OF, and no table.
        deletes = Names(names: words.names(after: "DELETE", "FROM"))
        replaces = Names(
            names: words.names(after: "REPLACE", "INTO") + words.names(after: "UPDATE", "OR", "REPLACE")
        )
    }
}
