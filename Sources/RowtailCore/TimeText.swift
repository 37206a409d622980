// SPDX-License-Identifier: Apache-2.0

/// A time as text, in the spellings of ISO 8601 that databases and programs use, and how exactly it was spelt.
///
/// A date, `T` or a space, hours and minutes, perhaps seconds with a fraction, perhaps `Z` or an offset. A text without
/// either is taken for UTC, as SQLite's own functions write it.
package struct TimeText: Hashable, Sendable {
    /// The smallest part that is written, before any fraction.
    package enum Precision: Int, Hashable, Sendable {
        /// A date alone.
        case day = 86_400
        /// Hours and minutes.
        case minute = 60
        /// Seconds.
        case second = 1
    }

    /// How a time is spelt: everything but the time.
    package struct Style: Hashable, Sendable {
        /// What stands between date and time: `T` or a space.
        package var separator: Character
        /// The smallest part before any fraction.
        package var precision: Precision
        /// How many digits the fraction of a second has; 0 for none.
        package var fractionDigits: Int
        /// What stands at the end: nothing, `Z`, or an offset such as `+02:00`.
        package var suffix: String
        /// The offset from UTC in seconds that the suffix means.
        package var offset: Int
    }

    /// The moment; digits past the microsecond are dropped.
    package var time: UnixTime

    /// The spelling.
    package var style: Style

    /// Reads a text; `nil` when it is no such time.
    package init?(_ text: [UInt8]) {
        var scanner = Scanner(rest: text[...])
        guard let year = scanner.digits(4), scanner.take("-"), let month = scanner.digits(2), scanner.take("-"),
            let day = scanner.digits(2)
        else { return nil }
        var civil = UnixTime.Civil(
            year: year,
            month: month,
            day: day,
            hour: 0,
            minute: 0,
            second: 0,
            microsecond: 0
        )
        style = Style(separator: "T", precision: .day, fractionDigits: 0, suffix: "", offset: 0)
        if !scanner.rest.isEmpty {
            guard let separator = scanner.one(of: "Tt "), let hour = scanner.digits(2), scanner.take(":"),
                let minute = scanner.digits(2)
            else { return nil }
            (civil.hour, civil.minute) = (hour, minute)
            style.separator = separator
            style.precision = .minute
            if scanner.take(":") {
                guard let second = scanner.digits(2) else { return nil }
                civil.second = second
                style.precision = .second
                if scanner.take(".") {
                    guard let fraction = scanner.fraction() else { return nil }
                    (civil.microsecond, style.fractionDigits) = fraction
                }
            }
            guard let (suffix, offset) = scanner.suffix() else { return nil }
            (style.suffix, style.offset) = (suffix, offset)
        }
        guard let time = UnixTime(civil) else { return nil }
        self.time = UnixTime(microseconds: time.microseconds - Int64(style.offset) * 1_000_000)
    }

    /// Writes a time in a style, cut to what the style can say; `fractionDigits` takes the place of the style's.
    package static func write(_ time: UnixTime, _ style: Style, fractionDigits: Int? = nil) -> String {
        let civil = UnixTime(microseconds: time.microseconds + Int64(style.offset) * 1_000_000).civil
        var text = "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
        guard style.precision != .day else { return text }
        text += "\(style.separator)\(padded(civil.hour, 2)):\(padded(civil.minute, 2))"
        if style.precision == .second {
            text += ":\(padded(civil.second, 2))"
            let digits = fractionDigits ?? style.fractionDigits
            if digits > 0 {
                let all = padded(civil.microsecond, 6)
                text += "." + all.prefix(digits) + String(repeating: "0", count: max(0, digits - 6))
            }
        }
        return text + style.suffix
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

/// Takes a text apart from its start.
private struct Scanner {
    var rest: ArraySlice<UInt8>

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func one(of characters: String) -> Character? {
        guard let first = rest.first, characters.utf8.contains(first) else { return nil }
        rest = rest.dropFirst()
        return Character(Unicode.Scalar(first))
    }

    private mutating func digit() -> Int? {
        guard let first = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        rest = rest.dropFirst()
        return Int(first - UInt8(ascii: "0"))
    }

    mutating func digits(_ count: Int) -> Int? {
        var number = 0
        for _ in 0..<count {
            guard let digit = digit() else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// The microseconds, and how many digits there were.
    mutating func fraction() -> (Int, digits: Int)? {
        var (microseconds, count) = (0, 0)
        while let digit = digit() {
            count += 1
            if count <= 6 { microseconds = microseconds * 10 + digit }
        }
        guard count > 0 else { return nil }
        for _ in 0..<max(0, 6 - count) { microseconds *= 10 }
        return (microseconds, count)
    }

    /// What is left, as it is written, and the seconds that it is ahead of UTC.
    mutating func suffix() -> (String, Int)? {
        let written = String(decoding: rest, as: UTF8.self)
        while take(" ") {}
        guard !rest.isEmpty else { return written.isEmpty ? ("", 0) : nil }
        let name = String(decoding: rest, as: UTF8.self)
        if name == "Z" || name == "z" || name == "UTC" { return (written, 0) }
        guard let sign = one(of: "+-"), let hours = digits(2) else { return nil }
        _ = take(":")
        guard let minutes = rest.isEmpty ? 0 : digits(2), rest.isEmpty, hours < 24, minutes < 60 else { return nil }
        return (written, (hours * 60 + minutes) * (sign == "-" ? -60 : 60))
    }
}
