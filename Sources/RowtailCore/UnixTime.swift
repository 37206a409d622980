// SPDX-License-Identifier: Apache-2.0

/// A moment in microseconds since 1970, without leap seconds.
package struct UnixTime: Hashable, Sendable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    package var microseconds: Int64

    /// The moment so many microseconds after 1970 began.
    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Whether the first moment is earlier.
    package static func < (one: UnixTime, other: UnixTime) -> Bool {
        one.microseconds < other.microseconds
    }

    /// The moment that is later by a duration, or earlier by a negative one.
    package func advanced(by duration: Duration) -> UnixTime {
        let (seconds, attoseconds) = duration.components
        return UnixTime(microseconds: microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}

extension UnixTime {
    /// A date and a time of day, in the proleptic Gregorian calendar.
    package struct Civil: Hashable, Sendable {
        /// The year, 0 to 9999.
        package var year: Int
        /// The month, 1 to 12.
        package var month: Int
        /// The day of the month, from 1.
        package var day: Int
        /// The hour, 0 to 23.
        package var hour: Int
        /// The minute, 0 to 59.
        package var minute: Int
        /// The second, 0 to 59; 60 in a leap second.
        package var second: Int
        /// The microsecond, 0 to 999999.
        package var microsecond: Int

        /// Collects the parts.
        package init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, microsecond: Int) {
            self.year = year
            self.month = month
            self.day = day
            self.hour = hour
            self.minute = minute
            self.second = second
            self.microsecond = microsecond
        }
    }

    private static let day: Int64 = 86_400_000_000

    /// The moment of a date and time in UTC; `nil` when there is no such date or time.
    package init?(_ civil: Civil) {
        guard (1...12).contains(civil.month), (1...31).contains(civil.day), (0...23).contains(civil.hour),
            (0...59).contains(civil.minute), (0...60).contains(civil.second)
        else { return nil }
        // Years begin in March, so that the leap day is the last one (Hinnant, "chrono-Compatible Low-Level Date
        // Algorithms", days_from_civil).
        let year = civil.month > 2 ? civil.year : civil.year - 1
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (civil.month > 2 ? civil.month - 3 : civil.month + 9) + 2) / 5 + civil.day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        let seconds = (civil.hour * 60 + civil.minute) * 60 + civil.second
        microseconds = Int64(days) * Self.day + Int64(seconds) * 1_000_000 + Int64(civil.microsecond)
        guard civil.day <= 28 || self.civil.month == civil.month || civil.second == 60 else { return nil }
    }

    /// The date and time in UTC.
    package var civil: Civil {
        let days = Int((Double(microseconds) / Double(Self.day)).rounded(.down))
        let inDay = Int(microseconds - Int64(days) * Self.day)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        let seconds = inDay / 1_000_000
        return Civil(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
            month: month,
            day: dayOfYear - (153 * march + 2) / 5 + 1,
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            microsecond: inDay % 1_000_000
        )
    }

    /// Reads a time as RFC 3339 (section 5.6) writes it, with `Z` or an offset; digits past the microsecond are dropped.
    package init?(rfc3339 text: some StringProtocol) {
        guard let written = TimeText(Array(text.utf8)), written.style.precision != .day,
            written.style.precision != .minute, !written.style.suffix.isEmpty, !written.style.suffix.hasPrefix(" ")
        else { return nil }
        self = written.time
    }
}
