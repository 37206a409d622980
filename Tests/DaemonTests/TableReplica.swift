// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// A table that is rebuilt, with the key of the row that is written last.
struct RebuiltTable: Sendable {
    var name: String
    var key: [String]
    var watermark: String
    var settle: String
    var lastKey: ExactJSON
}

/// A table as a client rebuilds it from a stream, which checks on the way that each event fits what it holds.
struct TableReplica: Sendable {
    /// What the stream is.
    enum Kind: Sendable {
        /// Entries with images: everything is applied, deletes too.
        case log
        /// Rows as they are, told apart by their keys.
        case updated
    }

    let kind: Kind
    let table: RebuiltTable

    /// The rows by their keys.
    private(set) var rows: [ExactJSON: ExactJSON] = [:]
    /// Every state of a row that it got, whether or not the row is like that still.
    private(set) var everyRow: Set<ExactJSON> = []
    /// How many events came.
    private(set) var events = 0
    /// The id that the client resumes with.
    private(set) var lastID: EventID?
    /// What doesn't fit, up to a number that can be read.
    private(set) var faults: [String] = []

    init(_ kind: Kind, of table: RebuiltTable) {
        self.kind = kind
        self.table = table
    }

    /// Whether it has the last row, with its time, or won't get there.
    var isOver: Bool {
        if !faults.isEmpty { return true }
        guard let time = rows[table.lastKey]?[table.watermark] else { return false }
        return time != .text([])
    }

    mutating func fault(_ text: String) {
        if faults.count < 5 { faults.append(text) }
    }

    /// Applies what a stream says.
    mutating func take(id: String?, event: String?, data: String?) {
        if let event {
            takeControl(event, data ?? "")
            return
        }
        guard let id else {
            if let data { fault("no id: \(data)") }
            return
        }
        guard let position = EventID(id), position.generation == 0 else {
            fault("id '\(id)'")
            return
        }
        if let lastID, position.position < lastID.position || (data != nil && position == lastID) {
            fault("id '\(id)' after '\(lastID)': \(data ?? "no event")")
        }
        lastID = position
        guard let data else { return }
        events += 1
        do {
            try apply(ExactJSON(data), id)
        } catch {
            fault("id '\(id)': \(error)")
        }
    }

    private mutating func takeControl(_ event: String, _ data: String) {
        // A stream ends when the daemon does.
        if event != "rowtail.end" { fault("\(event) \(data)") }
    }

    private mutating func apply(_ event: ExactJSON, _ id: String) throws {
        switch kind {
        case .updated:
            guard let named = event.selecting(table.key) else { throw Misfit("no key", event) }
            rows[named] = event
            everyRow.insert(event)
        case .log:
            guard let key = event["key"], let before = event["before"], let after = event["after"] else {
                throw Misfit("no entry", event)
            }
            let held = rows[key] ?? .null
            guard before == held else { throw Misfit("the table had \(held)", event) }
            let op: String? =
                switch (before, after) {
                case (.null, .object): "insert"
                case (.object, .object): "update"
                case (.object, .null): "delete"
                default: nil
                }
            guard let op, event["op"] == .text(Array(op.utf8)) else {
                throw Misfit("the images are of another op", event)
            }
            for image in [before, after] where image != .null && image.selecting(table.key) != key {
                throw Misfit("the key is another", event)
            }
            rows[key] = after == .null ? nil : after
            if after != .null { everyRow.insert(after) }
        }
    }

    private struct Misfit: Error, CustomStringConvertible {
        var description: String

        init(_ reason: String, _ event: ExactJSON) {
            description = "\(reason): \(event)"
        }
    }
}

extension TableReplica: CustomStringConvertible {
    var description: String {
        "\(events) events, \(rows.count) rows, has \(lastID.map { "\($0)" } ?? "no id"), faults \(faults)"
    }
}

extension ExactJSON {
    /// An object of some fields of this one; `nil` when one of them isn't there.
    func selecting(_ names: [String]) -> ExactJSON? {
        let fields = names.compactMap { name in self[name].map { Field(name: name, value: $0) } }
        return fields.count == names.count ? .object(fields) : nil
    }
}
