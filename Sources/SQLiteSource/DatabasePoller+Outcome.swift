// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import RowtailCore

/// What came of a poll: states, log lines, and what is stored.
extension DatabasePoller {
    func finish(
        _ item: FeedPoll,
        _ result: PollResult,
        _ state: FeedState?,
        since start: ContinuousClock.Instant
    ) {
        let took = ContinuousClock.now - start
        let timestamp = Double(WallClock.system.now.microseconds) / 1e6
        guard item.feed.polled(result, state: state, took: took, timestamp: timestamp) else { return }
        switch state {
        case .live:
            logger.info("feed is live", metadata: ["feed": "\(item.feed.name)", "head": "\(item.feed.status.head)"])
        case .waiting(let reason):
            logger.notice("feed waits", metadata: ["feed": "\(item.feed.name)", "reason": "\(reason)"])
        case .broken(let reason):
            logger.error("feed is broken", metadata: ["feed": "\(item.feed.name)", "reason": "\(reason)"])
        case nil:
            break
        }
    }

    func fail(_ items: [FeedPoll], _ error: SourceError, since start: ContinuousClock.Instant) {
        switch error.code {
        case .busy:
            noteBusy(error)
            for item in items {
                let status = item.feed.status
                finish(
                    item,
                    .busy,
                    status.knowsHead && status.wasPolled ? nil : .waiting(error.message),
                    since: start
                )
            }
            onSchedule(.retry)
        case .waiting:
            for item in items {
                let isGone = item.wasSeen && connection != nil
                item.wasMissing()
                let message =
                    isGone ? "table '\(item.feed.options.table)' was dropped; it is waited for" : error.message
                finish(item, isGone ? .error : .waiting, isGone ? .broken(message) : .waiting(message), since: start)
            }
        case .broken:
            for item in items {
                finish(item, .error, .broken(error.message), since: start)
            }
        }
    }

    private func noteBusy(_ error: SourceError) {
        let since = busySince ?? .now
        busySince = since
        // Short locks are the rollback modes' daily life; only lasting ones are worth a line.
        guard !isBusyLogged, .now - since >= .seconds(1) else { return }
        isBusyLogged = true
        logger.warning("database is locked, trying again", metadata: ["reason": "\(error.message)"])
    }

    func noteSuccess() {
        busySince = nil
        onSchedule(.succeeded)
        guard isBusyLogged else { return }
        isBusyLogged = false
        logger.notice("database answers again")
    }

    func logBreak(_ item: FeedPoll, _ outcome: FeedPoll.Outcome) {
        var bases: [Position?] = []
        if case .broken(let base) = outcome.verdict { bases.append(base) }
        // Where nothing was served nothing breaks.
        for case .integer(let gap) in outcome.gaps where item.record.watermark > .earliest {
            bases.append(.integer(gap - 1))
        }
        for (index, base) in bases.enumerated() {
            logger.warning(
                "history broke, a new generation begins",
                metadata: [
                    "feed": "\(item.feed.name)",
                    "generation": "\(item.record.history.current + index + 1)",
                    "base": "\(base.map { "\($0)" } ?? "none")",
                    "watermark": "\(item.record.watermark)",
                    "head": "\(outcome.head)",
                ]
            )
        }
    }

    /// Says how the watermark is understood, once, and what comes too late or too early, at most once a minute.
    func logOddTimes(_ item: FeedPoll, _ outcome: FeedPoll.Outcome) {
        let name = item.feed.name
        if let format = item.reader.format, formats[name] != format {
            formats[name] = format
            logger.info(
                "watermark is understood",
                metadata: ["feed": "\(name)", "format": "\(format.description)"]
            )
        }
        guard outcome.late > 0 || outcome.future > 0 else { return }
        guard oddTimesLogged[name].map({ .now - $0 >= .seconds(60) }) ?? true else { return }
        oddTimesLogged[name] = .now
        if outcome.late > 0 {
            logger.warning(
                "rows came too late to be sent",
                metadata: [
                    "feed": "\(name)", "rows": "\(outcome.late)",
                    "remedy": "raise settle above the longest transaction, or use mode log",
                ]
            )
        }
        if outcome.future > 0 {
            logger.warning(
                "rows are held back until their time has come",
                metadata: [
                    "feed": "\(name)", "rows": "\(outcome.future)",
                    "remedy": "correct their times, or the clock that set them",
                ]
            )
        }
    }

    // MARK: - Upkeep

    /// Reads the anchors again and writes what changed to the state directory; at most once a second, and at the end.
    func upkeep() {
        if feeds.contains(where: \.anchorsAreStale) { poll(refreshingAnchors: true) }
        for item in feeds where item.isDirty {
            let feed = item.feed
            item.saveLater { error in
                self.eventLoop.execute { self.assumeIsolated { $0.stored(feed, error) } }
            }
        }
    }

    private func stored(_ feed: Feed, _ error: (any Error)?) {
        guard let error else {
            isStateFailureLogged = false
            return
        }
        // It may not be ours any more.
        guard let item = feeds.first(where: { $0.feed === feed }) else { return }
        item.saveFailed()
        onSchedule(.upkeep)
        guard !isStateFailureLogged else { return }
        isStateFailureLogged = true
        logger.error("state can't be stored", metadata: ["reason": "\(error)"])
    }

    /// Writes what changed, before this returns.
    func settle(_ items: [FeedPoll]) {
        if items.contains(where: \.anchorsAreStale) { poll(refreshingAnchors: true) }
        for item in items where item.isDirty { item.save() }
        // What is being written is clean already, and must outlive the process that may be about to end.
        state?.flush()
    }
}
