// SPDX-License-Identifier: Apache-2.0

import EventStream

@testable import RowtailCore

/// Queries of streams: refused with a message that is short, or read so that they can be written and read again.
enum QueryCheck {
    /// Takes every line for a query and, after a tab, a `Last-Event-ID`.
    static func fault(_ input: [UInt8]) -> String? {
        for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let parts = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1, omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            if let fault = fault(parts[0], header: parts.count > 1 ? parts[1] : nil) { return fault }
        }
        return nil
    }

    private static func fault(_ text: String, header: String?) -> String? {
        do {
            var rest = text[...]
            let token = try StreamQuery.takeAccessToken(from: &rest)
            if token?.isEmpty == true { return "a token of nothing" }
            guard try StreamQuery.takeAccessToken(from: &rest) == nil else { return "a token stays: \(rest)" }
            let query = try StreamQuery(query: text, lastEventID: header)
            if let limit = query.limit, limit < 1 { return "a limit of \(limit)" }
            if case .newest(let count)? = query.since, count < 1 { return "the newest \(count) rows" }
            // Out of the years 0 to 9999, where only an offset leads, nothing can be written.
            if case .time(let time)? = query.since, !(0...9999).contains(time.civil.year) { return nil }
            let written = write(query)
            guard let again = try? StreamQuery(query: written, lastEventID: nil), again == query else {
                return "'\(written)' is not read as it was"
            }
        } catch let error as StreamQueryError {
            if error.message.utf8.count > 1024 { return "a message of \(error.message.utf8.count) bytes" }
            if !error.message.contains("; ") { return "no remedy: \(error.message)" }
        } catch {
            return "another error: \(error)"
        }
        return nil
    }

    private static func write(_ query: StreamQuery) -> String {
        var parts: [String] = []
        if let id = query.lastEventID { parts.append("last_event_id=\(encoded(id.description))") }
        switch query.since {
        case nil: break
        case .earliest: parts.append("since=earliest")
        case .latest: parts.append("since=latest")
        case .newest(let count): parts.append("since=-\(count)")
        case .after(let id): parts.append("since=\(encoded(id.description))")
        case .time(let time):
            let style = TimeText.Style(separator: "T", precision: .second, fractionDigits: 6, suffix: "Z", offset: 0)
            parts.append("since=\(TimeText.write(time, style))")
        }
        if let limit = query.limit { parts.append("limit=\(limit)") }
        if query.untilHead { parts.append("until=head") }
        if let policy = query.onReset { parts.append("on_reset=\(policy.rawValue)") }
        return parts.joined(separator: "&")
    }

    private static func encoded(_ text: String) -> String {
        text.replacing("%", with: "%25").replacing("&", with: "%26").replacing("+", with: "%2B")
    }
}
