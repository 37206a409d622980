// SPDX-License-Identifier: Apache-2.0

/// A kind of amount that is written as a whole number and a unit, such as `250ms` or `8MiB`.
private struct Quantity {
    let noun: String
    let example: String

    /// The words for a value below and above the range.
    let tooLittle: String
    let tooMuch: String

    /// The suffix of zero.
    let zero: String

    /// Suffixes and their worth in the smallest unit, which stands first.
    let units: [(suffix: String, factor: Int)]

    /// Counted in milliseconds.
    static let duration = Quantity(
        noun: "duration",
        example: "250ms",
        tooLittle: "too short",
        tooMuch: "too long",
        zero: "s",
        units: [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
    )

    /// Counted in bytes.
    static let size = Quantity(
        noun: "size",
        example: "8MiB",
        tooLittle: "too small",
        tooMuch: "too large",
        zero: "B",
        units: [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
    )

    /// Reads an amount.
    ///
    /// With `zeroIsOff`, zero may stand below the range, and needs no unit.
    func parse(_ text: String, in range: ClosedRange<Int>, zeroIsOff: Bool) throws(ValueError) -> Int {
        let digits = text.prefix { $0.utf8.allSatisfy(\.isDigit) }
        let suffix = text.dropFirst(digits.count)
        if zeroIsOff, text == "0" {
            return 0
        }
        if suffix.isEmpty, !digits.isEmpty {
            throw ValueError("\(text.quoted) has no unit; write \(list(units.map { text.printable + $0.suffix }))")
        }
        guard !digits.isEmpty, let unit = units.first(where: { $0.suffix == suffix }) else {
            let suffixes = list(units.map(\.suffix))
            throw ValueError(
                "\(text.quoted) is not a \(noun); write a whole number and a unit (\(suffixes)), such as \(example)"
            )
        }
        // An amount that doesn't fit is beyond any range.
        let product = (Int(digits) ?? .max).multipliedReportingOverflow(by: unit.factor)
        let amount = product.overflow ? Int.max : product.partialValue
        if zeroIsOff, amount == 0 {
            return 0
        }
        if amount < range.lowerBound {
            let off = zeroIsOff ? ", or 0 for off" : ""
            throw ValueError("\(text.quoted) is \(tooLittle); use \(format(range.lowerBound)) or more\(off)")
        }
        if amount > range.upperBound {
            throw ValueError("\(text.quoted) is \(tooMuch); use \(format(range.upperBound)) or less")
        }
        return amount
    }

    /// Writes an amount in the largest unit that keeps it whole.
    func format(_ amount: Int) -> String {
        guard amount != 0 else { return "0\(zero)" }
        let unit = units.last { amount >= $0.factor && amount.isMultiple(of: $0.factor) } ?? units[0]
        return "\(amount / unit.factor)\(unit.suffix)"
    }

    /// Writes a range, for the manual.
    func format(_ range: ClosedRange<Int>) -> String {
        "\(format(range.lowerBound)) to \(format(range.upperBound))"
    }

    private func list(_ words: [String]) -> String {
        "\(words.dropLast().joined(separator: ", ")) or \(words.last ?? "")"
    }
}

extension ValueParser<Duration> {
    /// Reads a duration such as `250ms`, `1s`, `5m` or `1h`.
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        let bounds = range.lowerBound.milliseconds...range.upperBound.milliseconds
        let duration = Self(Quantity.duration.noun, range: Quantity.duration.format(bounds)) {
            scalar throws(ValueError) in
            .milliseconds(try Quantity.duration.parse(scalar.text, in: bounds, zeroIsOff: false))
        }
        return duration.writing { Quantity.duration.format($0.milliseconds) }
    }
}

extension ValueParser<Duration?> {
    /// Reads a duration, or `0` for off, here `nil`.
    static func durationOrOff(_ range: ClosedRange<Duration>) -> Self {
        let bounds = range.lowerBound.milliseconds...range.upperBound.milliseconds
        let duration = Self("\(Quantity.duration.noun) or 0", range: Quantity.duration.format(bounds)) {
            scalar throws(ValueError) in
            let amount = try Quantity.duration.parse(scalar.text, in: bounds, zeroIsOff: true)
            return amount == 0 ? nil : .milliseconds(amount)
        }
        return duration.writing { $0.map { Quantity.duration.format($0.milliseconds) } ?? "0" }
    }
}

extension ValueParser<Int> {
    /// Reads a size in bytes such as `512B`, `64KiB`, `8MiB` or `1GiB`.
    static func size(_ range: ClosedRange<Int>) -> Self {
        let size = Self(Quantity.size.noun, range: Quantity.size.format(range)) { scalar throws(ValueError) in
            try Quantity.size.parse(scalar.text, in: range, zeroIsOff: false)
        }
        return size.writing { Quantity.size.format($0) }
    }
}

extension Duration {
    /// The whole milliseconds of a bound that is known to be small.
    fileprivate var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
