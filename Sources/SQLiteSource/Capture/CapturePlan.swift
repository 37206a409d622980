// SPDX-License-Identifier: Apache-2.0

/// The triggers that capture one table, as text: from the schema's facts and the number of the installation alone.
///
/// The text is what `sqlite_master` keeps, so that comparing tells whether the triggers still fit the table.
///
/// REPLACE deletes rows without firing their delete triggers, unless the writer has `recursive_triggers` on. So the rows that
/// a statement may replace are staged before it, and those that are gone after it are logged as deleted. They may be staged in
/// vain: triggers before an insert also fire for OR IGNORE and UPSERT.
package struct CapturePlan: Sendable {
    /// A trigger's name and text.
    package struct Trigger: Sendable, Equatable {
        /// The name, which no other installation in the file has.
        package let name: String
        /// What creates it.
        package let sql: String
    }

    private let table: CapturedTable
    private let id: Int64
    private let quotedTable: String

    init(_ table: CapturedTable, id: Int64) {
        self.table = table
        self.id = id
        quotedTable = TableQueries.quoted(table.name)
    }

    /// The triggers in the order in which they are created.
    package var triggers: [Trigger] {
        [
            trigger("before_insert", "BEFORE INSERT", when: conflicts(updating: false), stage(updating: false)),
            trigger("before_update", "BEFORE UPDATE", when: conflicts(updating: true), stage(updating: true)),
            trigger("insert", "AFTER INSERT", logReplaced(updating: false) + [log(op: "'insert'", after: "NEW")]),
            // SQLite fires the newest first: this one comes after the next.
            trigger("rekey", "AFTER UPDATE", when: "NOT (\(keepsKey))", splitUpdate),
            trigger("update", "AFTER UPDATE", afterUpdate),
            trigger("delete", "AFTER DELETE", [unstage("OLD"), log(op: "'delete'", before: "OLD")]),
        ]
    }

    /// What the names of the triggers of an installation begin with.
    static func prefix(_ id: Int64) -> String { "rowtail_\(id)_" }

    private func trigger(_ name: String, _ event: String, when condition: String? = nil, _ body: [String]) -> Trigger {
        let name = Self.prefix(id) + name
        let when = condition.map { "\nWHEN \($0)" } ?? ""
        let sql =
            "CREATE TRIGGER \(name) \(event) ON \(quotedTable)\(when)\nBEGIN\n\(body.joined(separator: ";\n"));\nEND"
        return Trigger(name: name, sql: sql)
    }

    // MARK: - Own entries

    private static let now = "strftime('%Y-%m-%dT%H:%M:%fZ','now')"

    private func image(_ row: String?) -> String {
        row.map { ImageSQL.image(table.columns, of: $0) } ?? "NULL"
    }

    private func log(op: String, before: String? = nil, after: String? = nil, where condition: String? = nil) -> String
    {
        "INSERT INTO rowtail_log (capture, op, at, before, after) SELECT \(id), \(op), \(Self.now),\n\(image(before)),\n"
            + image(after)
    }

    /// Whether an update left the key as it was, to the byte, whatever the collation: to a client another key is another row.
    private var keepsKey: String {
        table.key.map { name in
            let content = table.content(of: name)
            let (old, new) = (ImageSQL.reference(name, of: "OLD"), ImageSQL.reference(name, of: "NEW"))
            return content == .integers
                ? "\(old)=\(new)" : "\(ImageSQL.value(old, content))=\(ImageSQL.value(new, content))"
        }.joined(separator: " AND ")
    }

    private var afterUpdate: [String] {
        // A row that took another identity is not gone, nor is it any more what was staged.
        ["\(unstage("OLD")) AND NOT (\(same("OLD", "NEW")))"]
            + logReplaced(updating: true)
            + [
                "INSERT INTO rowtail_log (capture, op, at, before, after) SELECT \(id), "
                    + "CASE WHEN \(keepsKey) THEN 'update' ELSE 'delete' END, \(Self.now),\n\(image("OLD")),\n\(image("NEW"))",
                // Staged by a statement around this one, it may yet be replaced, as it is now.
                "UPDATE rowtail_staged SET before = (SELECT after FROM rowtail_log ORDER BY seq DESC LIMIT 1) "
                    + "WHERE capture = \(id) AND \(staged("rowtail_staged", is: "NEW"))",
            ]
    }

    /// Makes two entries of an update that changes the key.
    ///
    /// The row is copied within the log, as the text that writes it is long, and every connection has to read it.
    private var splitUpdate: [String] {
        [
            "INSERT INTO rowtail_log (capture, op, at, after) SELECT capture, 'insert', at, after FROM rowtail_log "
                + "WHERE seq = (SELECT max(seq) FROM rowtail_log)",
            "UPDATE rowtail_log SET after = NULL WHERE seq = (SELECT max(seq) FROM rowtail_log) - 1",
        ]
    }

    // MARK: - Rows that are replaced

    private func reference(_ term: CapturedTable.Term, of row: String) -> String {
        // The rowid's names are no columns: quoted and unknown, one would read as a string in an old SQLite.
        let isColumn = table.columns.contains { TableInspector.equal($0.name, term.column) }
        return isColumn ? ImageSQL.reference(term.column, of: row) : "\(row).\(term.column)"
    }

    private func collate(_ term: CapturedTable.Term) -> String {
        term.collation.map { " COLLATE \(TableQueries.quoted($0))" } ?? ""
    }

    /// Whether two rows have the same identity, or the same values of a unique index.
    private func same(_ one: String, _ other: String, in terms: [CapturedTable.Term]? = nil) -> String {
        (terms ?? table.identity).map { term in
            "\(reference(term, of: one))=\(reference(term, of: other))\(collate(term))"
        }.joined(separator: " AND ")
    }

    /// Whether a staged row has the identity of another.
    private func staged(_ alias: String, is row: String) -> String {
        table.identity.enumerated().map { index, term in
            "\(reference(term, of: row))=\(alias).k\(index + 1)\(collate(term))"
        }.joined(separator: " AND ")
    }

    private func unstage(_ row: String) -> String {
        "DELETE FROM rowtail_staged WHERE capture = \(id) AND \(staged("rowtail_staged", is: row))"
    }

    /// The rows that a statement's new row conflicts with in one index.
    private func rows(conflictingIn terms: [CapturedTable.Term], updating: Bool) -> String {
        "FROM \(quotedTable) AS t WHERE \(same("t", "NEW", in: terms))"
            + (updating ? " AND NOT (\(same("t", "OLD")))" : "")
    }

    /// What is looked up before a write.
    private func uniques(updating: Bool) -> [[CapturedTable.Term]] {
        updating ? table.uniques.filter(table.isKnownBeforeUpdate) : table.uniques
    }

    /// Whether an update changes values of a unique index.
    private func changes(_ terms: [CapturedTable.Term]) -> String {
        terms.map { "\(reference($0, of: "OLD")) IS NOT \(reference($0, of: "NEW"))\(collate($0))" }
            .joined(separator: " OR ")
    }

    private func conflicts(updating: Bool) -> String {
        uniques(updating: updating).map { terms in
            let exists = "EXISTS (SELECT 1 \(rows(conflictingIn: terms, updating: updating)))"
            return updating ? "((\(changes(terms))) AND \(exists))" : exists
        }.joined(separator: "\nOR ")
    }

    private func stage(updating: Bool) -> [String] {
        let keys = table.identity.indices.map { "k\($0 + 1)" }.joined(separator: ", ")
        let values = table.identity.map { reference($0, of: "t") }.joined(separator: ", ")
        let inserts = uniques(updating: updating).enumerated().map { index, terms in
            let isStaged = "SELECT 1 FROM rowtail_staged AS s WHERE s.capture = \(id) AND \(staged("s", is: "t"))"
            return "INSERT INTO rowtail_staged (capture, \(keys)) SELECT \(id), \(values) "
                + rows(conflictingIn: terms, updating: updating) + (index == 0 ? "" : " AND NOT EXISTS (\(isStaged))")
        }
        let images =
            "UPDATE rowtail_staged SET before = (SELECT \(image("t"))\nFROM \(quotedTable) AS t WHERE "
            + "\(staged("rowtail_staged", is: "t"))) WHERE capture = \(id)"
        return ["DELETE FROM rowtail_staged WHERE capture = \(id)"] + inserts + [images]
    }

    /// Logs the staged rows that are gone, the new row having taken their place or not, and forgets them.
    ///
    /// Those that are still there stay staged: a statement around this one may have yet to replace them.
    private func logReplaced(updating: Bool) -> [String] {
        let taken = staged("rowtail_staged", is: "NEW") + (updating ? " AND NOT (\(same("OLD", "NEW")))" : "")
        let isThere = "SELECT 1 FROM \(quotedTable) AS t WHERE \(staged("rowtail_staged", is: "t"))"
        let gone = "((\(taken)) OR NOT EXISTS (\(isThere)))" + (updating ? " AND (\(mayReplace))" : "")
        return [
            // Looked up once: what every statement of the application has to be compiled with is kept short.
            "UPDATE rowtail_staged SET capture = -\(id) WHERE capture = \(id) AND \(gone)",
            "INSERT INTO rowtail_log (capture, op, at, before) SELECT \(id), 'delete', \(Self.now), before "
                + "FROM rowtail_staged WHERE capture = -\(id)",
            "DELETE FROM rowtail_staged WHERE capture = -\(id)",
        ]
    }

    /// Whether an update is of a kind that replaces rows.
    ///
    /// One that isn't may be SQLite's own, which takes a reference away from a row while that row is being replaced by a statement
    /// around this one: then the delete trigger of the row may have yet to fire.
    private var mayReplace: String {
        uniques(updating: true).map { terms in
            let known = terms.map { "\(reference($0, of: "NEW")) IS NOT NULL" }.joined(separator: " AND ")
            return "((\(changes(terms))) AND \(known))"
        }.joined(separator: " OR ")
    }
}
