// SPDX-License-Identifier: Apache-2.0

/// What the schema says of a table that is captured: all that its triggers depend on.
struct CapturedTable: Sendable {
    /// A column that can be read, generated ones included.
    struct Column: Sendable, Equatable {
        /// The name as the schema spells it.
        var name: String
        /// What the column can hold, as far as that makes its expressions shorter.
        var content = Content.anything
        /// Whether its value comes from others.
        var isGenerated = false
    }

    /// What a column can hold.
    enum Content: Sendable, Equatable {
        /// Integers alone, as the rowid is.
        case integers
        /// No numbers, as TEXT affinity turns them into text.
        case noNumbers
        /// Values of every kind.
        case anything
    }

    /// A column as a unique index compares it.
    struct Term: Sendable, Equatable {
        /// The column, or a name of the rowid.
        var column: String
        /// The collation; `nil` where only numbers are compared.
        var collation: String?
    }

    /// The table's name as the schema spells it.
    var name: String

    /// The columns in order.
    var columns: [Column]

    /// The columns whose values name a row in events.
    var key: [String]

    /// What SQLite itself tells rows apart by: the rowid, or the primary key of a table without one.
    var identity: [Term]

    /// Everything that two rows can't both have and that can be looked up, ``identity`` first.
    var uniques: [[Term]]

    /// The unique indexes that can't be looked up, or only before an insert, each with what it is on.
    var opaqueIndexes: [(name: String, reason: String)] = []

    /// Whether an index can be looked up before an update, when SQLite doesn't know the generated columns yet.
    func isKnownBeforeUpdate(_ terms: [Term]) -> Bool {
        !terms.contains { term in columns.contains { $0.isGenerated && TableInspector.equal($0.name, term.column) } }
    }

    /// The kind of content of a column.
    func content(of name: String) -> Content {
        columns.first { TableInspector.equal($0.name, name) }?.content ?? .anything
    }

    /// What a column of a declared type holds.
    ///
    /// Source: SQLite, "Datatypes In SQLite", section 3.1. Only TEXT affinity keeps anything out of a column.
    static func content(ofType type: String) -> Content {
        let type = type.uppercased()
        if type.contains("INT") { return .anything }
        return ["CHAR", "CLOB", "TEXT"].contains(where: type.contains) ? .noNumbers : .anything
    }
}
