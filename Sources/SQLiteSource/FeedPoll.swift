// SPDX-License-Identifier: Apache-2.0

import GRDB
import RowtailCore

/// One feed of a polled file: what was served, what proves it, and what one poll does about it.
///
/// Owned by the file's ``DatabasePoller`` and used on its queue only.
final class FeedPoll {
    /// What one read transaction found.
    struct Outcome {
        /// The newest position.
        var head: Position
        /// Whether the table still holds what was served.
        var verdict: Continuity.Verdict
        /// The page just after the watermark, where someone listens and there is one.
        var segment: Segment?
        /// Where entries of a log say that writes before them may not have been logged.
        var gaps: [Position] = []
        /// The position up to which nothing is to be had any more.
        var earliest = Position.earliest
        /// Rows that turned up before the watermark.
        var late = 0
        /// Rows whose times lie too far ahead.
        var future = 0
        /// The watermark up to which no more rows are expected.
        var settledThrough: KeyValue?
    }

    /// Fewer anchors than this don't show which columns tell rows apart, so they are read again at once.
    private static let fewAnchors = 4

    let feed: Feed
    let reader: TableReader
    private(set) var record: FeedRecord
    /// Whether the record changed since it was last written.
    private(set) var isDirty = false
    /// Whether the table has to be read at the next poll whatever `data_version` says, as it never was or the last try
    /// failed.
    var mustRead = true
    /// What could not be read for a client; `nil` when everything can.
    var unreadable: UnreadableRows?
    /// Whether the rows that anchors remember may have changed since they were last read.
    var anchorsAreStale = true
    /// What is known of the time since the last poll.
    private var evidence = Continuity.Evidence.unseen
    /// Whether the head was never looked up, so that what is there is not news.
    private var isFirst = true
    private var isLoaded = false
    private var schemaText: String?
    private var schemaVersion: Int64?
    private var ladder: [Anchor] = []
    private var lateRows = LateRows()
    /// When rows will have settled that have not; `nil` when there are none.
    private(set) var due: UnixTime?
    private let store: StateDirectory?
    private let heritage: FeedHeritage?
    private var saved: FeedRecord?

    init(feed: Feed, reader: TableReader, store: StateDirectory?, heritage: FeedHeritage?) {
        self.feed = feed
        self.reader = reader
        self.store = store
        self.heritage = heritage
        record = FeedRecord(feed: feed.name)
    }

    /// Takes up what was stored, once.
    func load() throws {
        guard !isLoaded else { return }
        do {
            if let stored = try store?.load(feed.name) ?? heritage?.record {
                record = stored
                ladder = stored.anchors
            }
        } catch {
            throw SourceError(.broken, "\(error)")
        }
        isLoaded = true
        if record.watermark > .earliest {
            feed.begin(record.history, head: record.watermark)
        }
    }

    /// Notes that something may have happened unseen.
    func doubt(_ evidence: Continuity.Evidence) {
        self.evidence = max(self.evidence, evidence)
    }

    /// Notes that the file or the table is not there: what comes after is all new.
    func wasMissing() {
        evidence = .unseen
        if !feed.status.knowsHead { feed.begin(record.history, head: record.watermark) }
    }

    /// Whether the table was followed before.
    var wasSeen: Bool { schemaText != nil }

    // MARK: - Inside a read transaction

    /// Looks for news and changes nothing that subscribers see.
    func look(
        _ db: Database,
        refreshingAnchors: Bool,
        foundAt: ContinuousClock.Instant,
        writer: inout ByteWriter
    ) throws -> Outcome {
        try reader.prepare(db)
        if let text = reader.schema?.text {
            if let schemaText, schemaText != text { doubt(.unseen) }
            schemaText = text
        }
        if let schemaVersion, schemaVersion != reader.schemaVersion { doubt(.doubtful) }
        schemaVersion = reader.schemaVersion
        let newest = try reader.head(db)
        let verdict = try verdict(head: newest)
        // Where rows move, the last one that was handed over may be anywhere.
        let head = isMoving && verdict == .same ? max(newest, record.watermark) : newest
        let gaps = verdict == .same ? reader.compiled?.log?.gaps(after: record.gap) ?? [] : []
        let earliest = try reader.floor(head: head)
        var segment: Segment?
        if verdict == .same, !isFirst, head > max(record.watermark, earliest), feed.subscriberCount > 0 {
            segment = try reader.page(
                after: max(record.watermark, earliest),
                through: head,
                generation: record.history.current + gaps.count,
                foundAt: foundAt,
                writer: &writer
            )
        }
        if refreshingAnchors || verdict != .same || isFirst || ladder.count < Self.fewAnchors {
            ladder = try reader.anchors(backFrom: segment?.through ?? head, db)
            record.anchors = ladder
            anchorsAreStale = false
            isDirty = true
        } else {
            try renewNewestAnchor(at: segment?.through ?? head)
        }
        var outcome = Outcome(head: head, verdict: verdict, segment: segment, gaps: gaps, earliest: earliest)
        if isMoving { try lookAround(&outcome, db) }
        return outcome
    }

    /// Whether a row that is written again moves to a new position.
    private var isMoving: Bool { reader.watched.mode == .updated }

    private func verdict(head: Position) throws -> Continuity.Verdict {
        // What was handed over in another mode, or by another key, means nothing in this one.
        guard reader.schema?.order.fits(record.watermark) ?? true else { return .broken(base: nil) }
        // Rows that were written again stand ahead. Where none does, the newest was deleted, or the file is an older copy
        // whose change counter hid that.
        if isMoving, let newest = reader.newestOfAll, newest < record.watermark { doubt(.touched) }
        // Capturing was interrupted and works again without an installation, which would have said so in the log.
        if reader.wasInterrupted, record.watermark > .earliest {
            let gaps = reader.compiled?.log?.gaps(after: record.gap) ?? []
            if gaps.isEmpty { return .broken(base: nil) }
        }
        // Rows that have yet to settle are newer all the same: in a moment they would be the head.
        let newest = isMoving ? max(head, reader.newestOfAll ?? head) : head
        return try Continuity(watermark: record.watermark, anchors: record.anchors, rowsMove: isMoving).verdict(
            head: newest,
            evidence: evidence,
            isAutoincrement: reader.schema?.isAutoincrement ?? false,
            row: { try reader.anchor(at: $0) }
        )
    }

    /// Looks for rows that came too late or too early.
    private func lookAround(_ outcome: inout Outcome, _ db: Database) throws {
        let limit = LateRows.window
        if outcome.verdict == .same, !isFirst {
            outcome.late = lateRows.count(in: try reader.newestPositions(through: record.watermark, limit: limit))
        }
        let watermark = outcome.verdict == .same && !isFirst ? outcome.segment?.through ?? outcome.head : outcome.head
        lateRows.remember(try reader.newestPositions(through: watermark, limit: limit))
        outcome.future = try reader.futureRows(db)
        outcome.settledThrough = reader.settledThrough
        due = try reader.nextSettled(db)
    }

    /// How long it takes until more rows will have settled; `nil` when there are none.
    var wait: Duration? {
        due.map { .microseconds(max(0, $0.microseconds - reader.now.microseconds)) }
    }

    /// Whether rows have settled that had not when the table was last read.
    var isDue: Bool {
        due.map { $0 <= reader.now } ?? false
    }

    /// Remembers the newest row as it is now; the rest of the anchors follows within a second.
    ///
    /// What clients are told must be provable at once, and a row that the application updates must not look like another.
    private func renewNewestAnchor(at position: Position) throws {
        if let newest = try reader.anchor(at: position) {
            record.anchors = Array(([newest] + ladder.filter { $0.position < newest.position }).prefix(Anchor.limit))
            return
        }
        for (index, anchor) in record.anchors.enumerated() {
            guard let found = try reader.anchor(at: anchor.position) else { continue }
            record.anchors[index] = found
            return
        }
    }

    // MARK: - After it

    /// Hands over what was found.
    ///
    /// - Returns: Whether the table has more.
    func hand(over outcome: Outcome, file: FileStat.Identity, reader warm: () throws -> [Segment]) throws -> Bool {
        // Only now: a look that failed midway has decided nothing.
        evidence = .seen
        reader.wasInterrupted = false
        if isMoving {
            feed.counted(
                late: outcome.late,
                future: outcome.future,
                settledThrough: outcome.settledThrough,
                positionValues: reader.schema?.order.count
            )
        }
        if record.file != file {
            record.file = file
            isDirty = true
        }
        if case .broken(let base) = outcome.verdict {
            // Who still wants those rows asks anew, in the new generation.
            unreadable = nil
            record.gap = reader.compiled?.log?.gaps(after: .earliest).last ?? .earliest
            record.history.advance(base: base)
            record.watermark = outcome.head
            // Ids of the new generation must mean the same after a crash, so it is stored before anyone hears of it.
            save()
        }
        for case .integer(let gap) in outcome.gaps {
            record.history.advance(base: .integer(gap - 1))
            record.gap = .integer(gap)
        }
        if !outcome.gaps.isEmpty { save() }
        if isFirst || outcome.verdict != .same {
            isFirst = false
            move(to: outcome.head)
            feed.begin(record.history, head: outcome.head)
            tellEarliest(outcome)
            for segment in try warm() {
                feed.publish(segment)
            }
            return false
        }
        if !outcome.gaps.isEmpty { feed.begin(record.history, head: record.watermark) }
        tellEarliest(outcome)
        if let segment = outcome.segment {
            move(to: segment.through)
            feed.publish(segment)
            return segment.through < outcome.head
        }
        if outcome.head > record.watermark {
            move(to: outcome.head)
            feed.advance(to: outcome.head)
        }
        return false
    }

    /// Tells how much of a log was deleted, where that changed.
    private func tellEarliest(_ outcome: Outcome) {
        guard outcome.earliest != feed.status.earliest else { return }
        feed.prune(through: outcome.earliest)
        if outcome.earliest > record.watermark { move(to: outcome.earliest) }
    }

    private func move(to position: Position) {
        guard record.watermark != position else { return }
        record.watermark = position
        isDirty = true
        anchorsAreStale = true
    }

    /// Writes the record before this returns.
    ///
    /// What goes wrong is told by the next ``saveLater(_:)``; the feed goes on all the same.
    func save() {
        guard let store, isLoaded else { return }
        do {
            try store.write(record)
            saved = record
            isDirty = false
        } catch {
            isDirty = true
        }
    }

    /// Has the record written where it differs from what was written last.
    ///
    /// - Parameter completion: Called on some queue with what went wrong, if anything.
    func saveLater(_ completion: @escaping @Sendable ((any Error)?) -> Void) {
        isDirty = false
        guard let store, isLoaded, record != saved else { return }
        saved = record
        store.writeLater(record, completion)
    }

    /// Takes note that the record could not be written.
    func saveFailed() {
        saved = nil
        isDirty = true
    }
}
