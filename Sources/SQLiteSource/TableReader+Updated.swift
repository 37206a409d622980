// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// What `updated` mode asks of time: how the watermark tells it, which rows have settled, and which come too early.
extension TableReader {
    /// How far ahead a row's time may be before it is counted as one of the future.
    static let tolerance: Duration = .seconds(5)
    /// How many rows of the future are counted at most.
    static let futureLimit = 1000
    /// How many of the newest rows, and of the oldest, the format is told by.
    static let sampleRows = 100

    /// The newest position that has settled.
    ///
    /// The ends of the index show values of another storage class, which sort before or after all others, and NULLs.
    func settledHead(_ db: Database) throws -> Position {
        let compiled = try prepared()
        if format == nil { format = try detectFormat(db) }
        guard let format else { return .earliest }
        _ = try single(compiled.oldest)
        let newest = try single(compiled.newest) ?? .earliest
        newestOfAll = newest
        settledThrough = frontier(format)
        guard let frontier = settledThrough else { return newest }
        if case .row(let row) = newest, row.watermark <= frontier { return newest }
        return try single(PreparedQuery(db, compiled.queries.newestUpTo), [frontier]) ?? .earliest
    }

    /// The newest watermark that has settled; `nil` for versions, which have as soon as they are there.
    private func frontier(_ format: WatermarkFormat) -> KeyValue? {
        format.value(at: now.advanced(by: .zero - watched.settle))
    }

    /// When the oldest row that has not settled will have; `nil` when there is none.
    ///
    /// It goes by the moment at which the head was looked for: a row that settled since is one that is due.
    func nextSettled(_ db: Database) throws -> UnixTime? {
        guard let format, let frontier = settledThrough else { return nil }
        var next: UnixTime?
        try PreparedQuery(db, prepared().queries.nextWatermark).run([frontier]) { statement in
            next = KeyValue(statement, 0).flatMap(format.time)
            return false
        }
        return next?.advanced(by: watched.settle)
    }

    /// How many rows have times that lie too far ahead, up to ``futureLimit``.
    func futureRows(_ db: Database) throws -> Int {
        guard let format, let bound = format.value(at: now.advanced(by: Self.tolerance)) else { return 0 }
        var count = 0
        try PreparedQuery(db, prepared().queries.countPast).run([bound, .integer(Int64(Self.futureLimit))]) {
            statement in
            if case .integer(let value)? = KeyValue(statement, 0) { count = Int(value) }
            return false
        }
        return count
    }

    /// The positions of the newest rows up to one, newest first.
    func newestPositions(through head: Position, limit: Int) throws -> [Position] {
        let compiled = try prepared()
        var positions: [Position] = []
        guard head > .earliest else { return [] }
        try compiled.newestRows.run(compiled.schema.order.arguments(head), limit: limit) { statement in
            positions.append(try position(statement))
            return true
        }
        return positions
    }

    /// The position just before the rows of a time and later.
    ///
    /// - Throws: `NoTimes` where the watermark tells none.
    func position(before time: UnixTime, through head: Position, _ db: Database) throws -> Position {
        let compiled = try prepared()
        guard compiled.schema.order.isKeyed else { throw NoTimes() }
        if format == nil { format = try detectFormat(db) }
        guard let format else { return .earliest }
        // The last value before the time, as the format may not be able to say the time itself.
        // A Julian day as a REAL is off by up to 40 µs.
        let step: Int64 = format == .number(.julianDays, hasFraction: true) ? 1000 : 1
        guard let value = format.value(at: UnixTime(microseconds: time.microseconds - step)) else { throw NoTimes() }
        let found = try single(PreparedQuery(db, compiled.queries.newestUpTo), [value]) ?? .earliest
        return min(found, head)
    }

    // MARK: - The format

    /// Tells from rows at both ends of the index how the watermark tells the time.
    ///
    /// - Returns: `nil` while there are no rows.
    private func detectFormat(_ db: Database) throws -> WatermarkFormat? {
        let queries = try prepared().queries
        var rows: [[KeyValue?]] = []
        for sql in [queries.newest, queries.oldest] {
            let sample = sql.replacing("LIMIT 1", with: "LIMIT \(Self.sampleRows)")
            try PreparedQuery(db, sample).run { statement in
                rows.append(try prepared().schema.order.columns.indices.map { KeyValue(statement, CInt($0)) })
                return true
            }
        }
        guard !rows.isEmpty else { return nil }
        guard let format = WatermarkFormat.detect(rows.compactMap(\.[0]), now: now) else { throw misfit(rows[0]) }
        self.format = format
        defer { self.format = nil }
        if let row = rows.first(where: { !format.fits($0[0]) }) { throw misfit(row) }
        try requireSettle(format)
        return format
    }

    /// Refuses a delay that is shorter than what two times differ by at least.
    private func requireSettle(_ format: WatermarkFormat) throws {
        let column = "column '\(watched.watermark ?? "")' of table '\(watched.table)'"
        guard let resolution = format.resolution else {
            guard watched.settle > .zero else { return }
            throw SourceError(
                .broken,
                "\(column) holds no times; set feeds.\(watched.feed).settle to 0s if it is a version that grows with every "
                    + "write, or feeds.\(watched.feed).watermark to a column with times"
            )
        }
        let isCoarse = resolution >= 1000
        guard isCoarse, watched.settle < .microseconds(resolution) else { return }
        let unit = resolution >= 60_000_000 ? "\(resolution / 60_000_000)m" : resolution >= 1_000_000 ? "1s" : "1ms"
        throw SourceError(
            .broken,
            "\(column) holds \(format.description): a row written in the same \(unit == "1s" ? "second" : unit) as one that was "
                + "sent would be passed by; set feeds.\(watched.feed).settle to \(unit) or more (2s is the default), or use a version column"
        )
    }

    /// Why a row can't be followed.
    func misfit(_ values: [KeyValue?]) -> SourceError {
        guard let order = compiled?.schema.order else {
            return SourceError(.broken, "table '\(watched.table)' changed")
        }
        let key = zip(order.columns, values).dropFirst().map { "\($0.name) \($1?.quoted ?? "NULL")" }
        let expected = format.map { "; all others have \($0.description)" } ?? ""
        guard values.dropFirst().allSatisfy({ $0 != nil }) else {
            return SourceError(
                .broken,
                "table '\(watched.table)' has a row with NULL in its key (\(key.joined(separator: ", "))); correct or delete that row"
            )
        }
        return SourceError(
            .broken,
            "table '\(watched.table)' has a row (\(key.joined(separator: ", "))) whose '\(order.columns[0].name)' is "
                + "\(values.first.flatMap(\.self)?.quoted ?? "NULL"), no time that sorts with others\(expected); correct that row"
        )
    }
}
