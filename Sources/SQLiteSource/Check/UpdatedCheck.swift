// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// Whether the rows of a table followed in mode `updated` sort by when they were written (hazards H10 to H13, H41).
struct UpdatedCheck {
    let watched: WatchedTable
    let schema: TableSchema
    let facts: TableFacts
    let reader: TableReader

    /// Looks at the schema, the plans of the queries, and rows at both ends of the index.
    func findings(_ db: Database) throws -> [Finding] {
        let queries = TableQueries(watched, schema)
        let index = try IndexCheck(table: schema.table, columns: schema.order.columns).finding(
            db,
            pages: queries.pageAfter + [queries.newestUpTo, queries.nextWatermark],
            // The first page begins where the index does.
            ends: queries.firstPage + [queries.newest, queries.oldest]
        )
        let findings = [key] + nullable + [index]
        // Without an index, one row would cost as much as the table.
        guard index.level == .verified else { return findings }
        do {
            _ = try reader.head(db)
            if let format = reader.format { try sampleBetween(format, queries, db) }
        } catch let error as SourceError where error.code == .broken {
            return findings + [Finding(error, "time")]
        }
        guard let format = reader.format else {
            return findings + [
                Finding(.verified, "time", "no row yet; the first ones show how '\(schema.watermark)' tells time")
            ]
        }
        return findings + [time(format)] + (try ahead(format, db)) + settle(format) + [writes]
    }

    // MARK: - The schema

    private var key: Finding {
        let names = schema.order.columns.dropFirst().map { "'\($0.name)'" }.joined(separator: ", ")
        return Finding(.verified, "key", "\(names) tells rows apart, by the primary key or a UNIQUE index")
    }

    /// Columns that may hold a NULL, which neither sorts nor is unique.
    private var nullable: [Finding] {
        let rowID = facts.hasRowIDKey ? facts.key.first : nil
        let names = schema.order.columns.map(\.name).filter { name in
            name != rowID && facts.columns.contains { $0.name == name && !$0.isNotNull }
        }
        guard !names.isEmpty else { return [] }
        return [
            Finding(
                .warning,
                "null",
                "\(names.map { "'\($0)'" }.joined(separator: ", ")) may be NULL: a row with one breaks the feed until it is corrected",
                remedy: "declare \(names.count == 1 ? "it" : "them") NOT NULL when the table is next rebuilt"
            )
        ]
    }

    /// Who keeps the watermark up to date when a row changes.
    private var writes: Finding {
        let trigger = facts.triggers.first { trigger in
            TableInspector.equal(trigger.table, facts.table) && TriggerWrites(trigger).updates.contains(facts.table)
                && SQLWords(trigger.text).words.contains { TableInspector.equal($0.text, schema.watermark) }
        }
        if let trigger {
            return Finding(
                .verified,
                "writes",
                "trigger '\(trigger.name)' sets '\(schema.watermark)' when a row changes"
            )
        }
        return Finding(
            .advice,
            "writes",
            "no trigger sets '\(schema.watermark)': every UPDATE of the application has to, or its change is not sent"
        )
    }

    // MARK: - The rows

    /// Reads rows at equal distances between both ends, which are refused like those that a poll meets.
    private func sampleBetween(_ format: WatermarkFormat, _ queries: TableQueries, _ db: Database) throws {
        guard let compiled = reader.compiled, case .row(let low)? = try reader.single(compiled.oldest),
            case .row(let high)? = try reader.single(compiled.newest)
        else { return }
        let query = try PreparedQuery(db, queries.newestUpTo)
        for part in 1...TableReader.sampleRows {
            let share = Double(part) / Double(TableReader.sampleRows + 1)
            let value: KeyValue?
            if let first = format.time(of: low.watermark), let last = format.time(of: high.watermark) {
                let distance = Double(last.microseconds - first.microseconds) * share
                value = format.value(at: UnixTime(microseconds: first.microseconds + Int64(distance)))
            } else if let first = low.watermark.number, let last = high.watermark.number {
                value = .real(first + (last - first) * share)
            } else {
                value = nil
            }
            _ = try value.map { try reader.single(query, [$0]) }
        }
    }

    private func time(_ format: WatermarkFormat) -> Finding {
        let rows = "by the newest and oldest \(TableReader.sampleRows) rows and as many between"
        guard let resolution = format.resolution else {
            return Finding(
                .verified,
                "time",
                "'\(schema.watermark)' holds no times and is taken for \(format.description), \(rows)"
            )
        }
        return Finding(
            .verified,
            "time",
            "'\(schema.watermark)' holds \(format.description), to the \(Self.words(resolution)), \(rows)"
        )
    }

    /// Rows whose time has not come, as when they were written in local time (hazard H12).
    private func ahead(_ format: WatermarkFormat, _ db: Database) throws -> [Finding] {
        let count = try reader.futureRows(db)
        guard count > 0, let newest = try newest(), let time = format.time(of: newest) else { return [] }
        let seconds = (time.microseconds - reader.now.microseconds) / 1_000_000
        let rows = "\(count) \(count == 1 ? "row" : "rows")\(count == TableReader.futureLimit ? " or more" : "")"
        let distance = seconds < 600 ? "\(seconds) seconds" : "\(seconds / 60) minutes"
        var message =
            "held back until their time comes: \(rows), of which the newest has \(newest.quoted), \(distance) ahead"
        var remedy = "correct them, or the clock of the machine that writes them"
        // No time zone is further from UTC.
        if case .text(let style) = format, style.suffix.isEmpty, (600...14 * 3600).contains(seconds) {
            message += ", as local time would be where UTC is expected"
            remedy = "write UTC, as SQLite's datetime('now') does, or add the offset to the text"
        }
        return [Finding(.warning, "time", message, remedy: remedy)]
    }

    private func newest() throws -> KeyValue? {
        guard let query = reader.compiled?.newest, case .row(let row)? = try reader.single(query) else { return nil }
        return row.watermark
    }

    /// What the delay covers (hazards H10, H11).
    private func settle(_ format: WatermarkFormat) -> [Finding] {
        guard format.resolution != nil else {
            return [Finding(.verified, "settle", "0s: a version is sent as soon as it is there")]
        }
        return [
            Finding(
                .verified,
                "settle",
                "rows are sent \(Self.words(watched.settle)) after their time; one whose transaction ends later than that is "
                    + "passed by, and counted in rowtail_late_rows_total"
            )
        ]
    }

    private static func words(_ resolution: Int64) -> String {
        switch resolution {
        case 86_400_000_000...: "day"
        case 60_000_000...: "minute"
        case 1_000_000...: "second"
        case 1000...: "millisecond"
        default: "microsecond"
        }
    }

    private static func words(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        return milliseconds % 1000 == 0 ? "\(seconds)s" : "\(milliseconds)ms"
    }
}
