// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The time of an answer, as its `Date` field has it: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// The text is made once a second at most, for all answers of an event loop.
///
/// Source: RFC 9110, sections 5.6.7 (IMF-fixdate) and 6.6.1 (`Date`).
struct HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private var second: time_t = 0
    private var text = ""

    /// The text for now.
    mutating func now() -> String {
        let now = time(nil)
        if now != second || text.isEmpty {
            second = now
            text = Self.text(now)
        }
        return text
    }

    /// The text for a time in seconds since 1970.
    static func text(_ seconds: time_t) -> String {
        var (seconds, parts) = (seconds, tm())
        gmtime_r(&seconds, &parts)
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let date = "\(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(parts.tm_year + 1900)"
        let time = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return "\(days[Int(parts.tm_wday)]), \(date) \(time) GMT"
    }
}
