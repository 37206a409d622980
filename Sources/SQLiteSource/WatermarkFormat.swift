// SPDX-License-Identifier: Apache-2.0

import Glibc
import RowtailCore

/// How the watermark column of `updated` mode tells when a row was written.
enum WatermarkFormat: Hashable, Sendable {
    /// What a number counts, since 1970 but for Julian days.
    enum Unit: String, CaseIterable, Sendable {
        case seconds, milliseconds, microseconds, nanoseconds
        case julianDays = "Julian days"

        /// How many are in a second.
        var perSecond: Double {
            switch self {
            case .seconds: 1
            case .milliseconds: 1e3
            case .microseconds: 1e6
            case .nanoseconds: 1e9
            case .julianDays: 1 / 86_400
            }
        }

        /// The unit in which a number would be a time between 1973 and the year 9999; `nil` when there is none.
        static func telling(_ number: Double) -> Unit? {
            switch number {
            case 1e8..<3e11: .seconds
            case 3e11..<3e14: .milliseconds
            case 3e14..<3e17: .microseconds
            case 3e17...: .nanoseconds
            default: nil
            }
        }
    }

    /// A number that grows with every write.
    case version
    /// A number of units, whole or with a fraction.
    case number(Unit, hasFraction: Bool)
    /// A text; all have the same spelling, but for the digits of the fraction where that sorts right.
    case text(TimeText.Style)

    /// How far apart two times are at least that differ, in microseconds; `nil` for versions.
    var resolution: Int64? {
        switch self {
        case .version: nil
        case .number(_, hasFraction: true): 1
        case .number(let unit, hasFraction: false): max(1, Int64(1e6 / unit.perSecond))
        case .text(let style):
            style.fractionDigits == 0
                ? Int64(style.precision.rawValue) * 1_000_000
                : max(1, Int64(pow(10, 6 - Double(style.fractionDigits))))
        }
    }

    /// The format for people.
    var description: String {
        switch self {
        case .version: return "a version that grows with every write"
        case .number(.julianDays, _): return "Julian days"
        case .number(let unit, let hasFraction): return "unix \(unit.rawValue)\(hasFraction ? " with a fraction" : "")"
        case .text(let style):
            let example = TimeText.write(UnixTime(microseconds: 1_767_225_600_000_000), style)
            return "ISO 8601 text like '\(example)'"
        }
    }

    /// The value of the latest time that is no later than this one; `nil` for versions.
    func value(at time: UnixTime) -> KeyValue? {
        let microseconds = time.microseconds
        switch self {
        case .version:
            return nil
        case .number(.julianDays, _):
            return .real(Double(microseconds) / 86_400e6 + 2_440_587.5)
        case .number(let unit, hasFraction: true):
            return .real(Double(microseconds) / 1e6 * unit.perSecond)
        case .number(.nanoseconds, hasFraction: false):
            let (product, overflow) = microseconds.multipliedReportingOverflow(by: 1000)
            return .integer(overflow ? (microseconds < 0 ? .min : .max) : product)
        case .number(let unit, hasFraction: false):
            let size = Int64(1e6 / unit.perSecond)
            return .integer((microseconds - ((microseconds % size) + size) % size) / size)
        case .text(let style):
            // More digits than any row has: '…:07' sorts before '…:07.000000', and that before '…:08'.
            let digits = allowsAnyFraction ? 9 : nil
            return .text(Array(TimeText.write(time, style, fractionDigits: digits).utf8))
        }
    }

    /// The time that a value means; `nil` when it means none.
    func time(of value: KeyValue) -> UnixTime? {
        switch (self, value) {
        case (.number(.julianDays, _), _):
            return value.number.flatMap { Self.time(seconds: ($0 - 2_440_587.5) * 86_400) }
        case (.number(let unit, _), _):
            return value.number.flatMap { Self.time(seconds: $0 / unit.perSecond) }
        case (.text, .text(let bytes)):
            return TimeText(bytes)?.time
        default:
            return nil
        }
    }

    private static func time(seconds: Double) -> UnixTime? {
        let microseconds = (seconds * 1e6).rounded()
        return abs(microseconds) < 9e18 ? UnixTime(microseconds: Int64(microseconds)) : nil
    }

    /// Whether a value is of this format, and so sorts with the others by time.
    func fits(_ value: KeyValue?) -> Bool {
        switch (self, value) {
        case (.version, .integer): true
        // A time of day would be one in 1970 or a year far ahead in the wrong unit; 0 and the like mean "never" in any.
        case (.number(let unit, _), .integer), (.number(let unit, _), .real):
            value?.number.map { unit == .julianDays || (Unit.telling($0) ?? unit) == unit } ?? false
        case (.text(let style), .text(let bytes)): TimeText(bytes).map { fits($0.style, style) } ?? false
        default: false
        }
    }

    /// Whether texts with fractions of different lengths sort by time: not before a `Z`, which sorts after the digits.
    private var allowsAnyFraction: Bool {
        guard case .text(let style) = self, style.precision == .second else { return false }
        return style.suffix.first.map { $0 != "Z" && $0 != "z" } ?? true
    }

    private func fits(_ found: TimeText.Style, _ style: TimeText.Style) -> Bool {
        var found = found
        if allowsAnyFraction, found.precision == .second { found.fractionDigits = style.fractionDigits }
        return found == style
    }
}

extension WatermarkFormat {
    /// Finds the format of some values.
    ///
    /// What most of them are decides, so that one that doesn't fit is the one that is named. Whole numbers are times when
    /// one of them is a time since 2000 and not far ahead; else they are versions.
    ///
    /// - Parameters:
    ///   - values: Values of the column, newest first.
    ///   - now: The time.
    /// - Returns: `nil` when the newest value is of no format; what doesn't fit it has to be looked for.
    static func detect(_ values: [KeyValue], now: UnixTime) -> WatermarkFormat? {
        let texts = values.filter { if case .text = $0 { true } else { false } }
        let numbers = values.filter { $0.number != nil }
        let values = texts.count * 2 > values.count ? texts : numbers.count * 2 >= values.count ? numbers : values
        guard let newest = values.first else { return nil }
        switch newest {
        case .text(let bytes):
            guard var style = TimeText(bytes)?.style else { return nil }
            if WatermarkFormat.text(style).allowsAnyFraction {
                // Programs that leave out a fraction of zero have the finer resolution all the same.
                let digits = values.compactMap { value -> Int? in
                    guard case .text(let bytes) = value else { return nil }
                    return TimeText(bytes)?.style.fractionDigits
                }
                style.fractionDigits = digits.max() ?? style.fractionDigits
            }
            return .text(style)
        case .integer:
            let hasFraction = values.contains { isFraction($0) }
            let plausible = UnixTime(microseconds: 946_684_800_000_000)...now.advanced(by: .seconds(86_400))
            var counts: [Unit: Int] = [:]
            for value in values {
                guard let unit = value.number.flatMap(Unit.telling) else { continue }
                let format = WatermarkFormat.number(unit, hasFraction: hasFraction)
                if let time = format.time(of: value), plausible.contains(time) { counts[unit, default: 0] += 1 }
            }
            guard let most = counts.max(by: { $0.value < $1.value }) else { return .version }
            return .number(most.key, hasFraction: hasFraction)
        case .real(let value):
            let hasFraction = values.contains { isFraction($0) }
            if (2.4e6..<2.6e6).contains(value), hasFraction { return .number(.julianDays, hasFraction: true) }
            return Unit.telling(value).map { .number($0, hasFraction: hasFraction) }
        case .blob:
            return nil
        }
    }

    private static func isFraction(_ value: KeyValue) -> Bool {
        if case .real(let value) = value { value != value.rounded() } else { false }
    }
}
