// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Which mode would serve a table best, as far as its schema tells.
struct ModeAdvice {
    /// Names that applications give to the time of the last change.
    private static let timeNames: Set = [
        "updated_at", "updatedat", "updated", "update_time", "modified_at", "modifiedat", "modified", "last_modified",
        "lastmodified", "changed_at", "changedat", "changed", "mtime", "last_updated", "lastupdated",
    ]

    private let watched: WatchedTable
    private let facts: TableFacts

    init(_ watched: WatchedTable, _ facts: TableFacts) {
        self.watched = watched
        self.facts = facts
    }

    private var timeColumn: String? {
        facts.columns.first { Self.timeNames.contains($0.name.lowercased()) }?.name
    }

    /// What tells rows apart: the primary key, or a unique index over columns that are never NULL.
    private var key: [String]? {
        if !facts.key.isEmpty { return facts.key }
        return facts.indexes.first { index in
            index.isUnique
                && index.columns.allSatisfy { name in facts.columns.contains { $0.name == name && $0.isNotNull } }
        }?.columns
    }

    private func columns(_ names: [String]) -> [RowOrder.Column] {
        names.map { RowOrder.Column(name: $0, isBinary: true) }
    }

    private var capture: String { "'rowtail capture install \(watched.feed)'" }

    // MARK: - For a table that is followed

    /// One sentence on whether the mode fits, and which would fit better.
    var sentence: Finding {
        guard watched.mode == .append else {
            return Finding(
                .advice,
                "mode",
                "'updated' sends inserted and changed rows in their newest state; states between and deletions need mode 'log'"
            )
        }
        let isUpdated = facts.triggers.contains { trigger in
            TableInspector.equal(trigger.table, facts.table) && TriggerWrites(trigger).updates.contains(facts.table)
        }
        if let time = timeColumn, let key {
            return Finding(
                .advice,
                "mode",
                "'append' sends every insert; '\(time)' looks as if rows were changed later: mode 'updated' with watermark: "
                    + "\(time) would send their newest state, mode 'log' every change",
                sql: facts.isIndexed(time) ? nil : IndexCheck.creation(facts.table, columns([time] + key))
            )
        }
        if isUpdated {
            return Finding(
                .advice,
                "mode",
                "'append' sends every insert; a trigger changes rows later, which only mode 'log' sends (\(capture))"
            )
        }
        return Finding(
            .advice,
            "mode",
            "'append' fits: it sends every insert, and nothing in the schema says that rows are changed later; deletions need mode 'log'"
        )
    }

    // MARK: - For a table that is refused

    /// Which other mode could serve a table that has no fit id; `nil` when none is known.
    var otherMode: Finding? {
        guard watched.mode == .append, watched.watermark == nil else { return nil }
        if let time = timeColumn, let key {
            return Finding(
                .advice,
                "mode",
                "mode 'updated' with watermark: \(time) could serve this table, as "
                    + "(\(key.joined(separator: ", "))) tells its rows apart",
                sql: facts.isIndexed(time) ? nil : IndexCheck.creation(facts.table, columns([time] + key))
            )
        }
        guard let key else { return nil }
        return Finding(
            .advice,
            "mode",
            "mode 'log' could serve this table, as (\(key.joined(separator: ", "))) tells its rows apart: \(capture)"
        )
    }

    /// What makes the configured watermark or key unique that lacks nothing else; `nil` when it lacks more.
    var uniqueIndex: String? {
        let wanted = watched.mode == .append ? watched.watermark.map { [$0] } : watched.key
        guard let wanted else { return nil }
        let found = wanted.compactMap { name in facts.columns.first { TableInspector.equal($0.name, name) } }
        let isNumber = found.allSatisfy { $0.isNotNull && $0.type.uppercased().contains("INT") }
        guard found.count == wanted.count, watched.mode == .updated || isNumber,
            !facts.indexes.contains(where: { $0.isUnique && $0.columns == found.map(\.name) })
        else { return nil }
        return IndexCheck.creation(facts.table, columns(found.map(\.name)), unique: true)
    }
}
