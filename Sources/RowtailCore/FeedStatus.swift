// SPDX-License-Identifier: Apache-2.0

/// How a feed fares.
package enum FeedState: Hashable, Sendable {
    /// It is polled with success.
    case live

    /// The file or the table isn't there yet; says which.
    case waiting(String)

    /// Something is wrong; says what, and the remedy.
    case broken(String)

    /// The state's name in answers and metrics.
    package var name: String {
        switch self {
        case .live: "live"
        case .waiting: "waiting"
        case .broken: "broken"
        }
    }

    /// What is wrong or waited for.
    package var reason: String? {
        switch self {
        case .live: nil
        case .waiting(let reason), .broken(let reason): reason
        }
    }
}

/// What came of a poll of a feed.
package enum PollResult: String, CaseIterable, Sendable {
    /// There were new rows.
    case rows

    /// There was nothing new.
    case quiet

    /// The file or the table isn't there.
    case waiting

    /// The database was locked by another connection; the next poll tries again.
    case busy

    /// It failed.
    case error
}

/// A feed's figures at one moment.
package struct FeedStatus: Sendable {
    /// How it fares.
    package var state: FeedState = .waiting("not polled yet")

    /// The last error, which outlives its cause; `nil` when there was none.
    package var lastError: String?

    /// The watermark.
    package var head: Position = .earliest

    /// Before the oldest row that is to be had.
    package var earliest: Position = .earliest

    /// The generations so far.
    package var history = GenerationHistory()

    /// When a poll last succeeded.
    package var lastSuccess: ContinuousClock.Instant?

    /// The same in seconds since 1970, for the metric.
    package var lastSuccessTimestamp: Double = 0

    /// Whether the first poll came to an end, whatever came of it.
    package var wasPolled = false

    /// Whether a poll ever succeeded or stored state was taken up, so that ``head`` means something.
    package var knowsHead = false

    /// Whether the last poll succeeded, so that no row was there that ``head`` doesn't know of.
    package var isCurrent = false

    /// Polls by what came of them.
    package var polls: [PollResult: UInt64] = [:]

    /// How long polls took.
    package var pollSeconds = Histogram()

    /// Rows handed over or counted past.
    package var rows: UInt64 = 0

    /// Rows found before the watermark after it had passed them.
    package var lateRows: UInt64 = 0

    /// Rows held back, as their time lies too far ahead.
    package var futureRows = 0

    /// The watermark up to which no more rows are expected, whether or not there is one with it; `nil` where none says so.
    package var settledThrough: KeyValue?

    /// How many values a position has, where it has a key; `nil` until the table was read.
    package var positionValues: Int?

    /// Whether the feed may have given a position out, going by its form.
    package func mayBe(_ position: Position, in mode: FeedMode) -> Bool {
        guard case .row(let row) = position, let positionValues else { return position.fits(mode) }
        return row.values.count == positionValues && position.fits(mode)
    }

    /// Whether a position past the head is one that no row stands at any more, rather than one that none has reached.
    package func hasSettled(_ position: Position) -> Bool {
        guard case .row(let row) = position, let settledThrough else { return false }
        return row.watermark <= settledThrough
    }
}
