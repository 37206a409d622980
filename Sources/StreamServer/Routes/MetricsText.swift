// SPDX-License-Identifier: Apache-2.0

import RowtailCore

/// Writes figures as Prometheus reads them ("Exposition formats", text format 0.0.4).
struct MetricsText {
    /// The kinds of figures.
    enum Kind: String {
        case counter, gauge, histogram
    }

    private(set) var result = ""
    private var name = ""

    /// Begins a figure; its samples follow.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        result += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Writes one sample.
    mutating func sample(_ labels: KeyValuePairs<String, String>, _ value: Double, suffix: String = "") {
        result += name + suffix
        if !labels.isEmpty { result += "{\(Self.pairs(labels).joined(separator: ","))}" }
        result += " \(Self.number(value))\n"
    }

    /// Writes the buckets, the sum and the count.
    mutating func histogram(_ labels: KeyValuePairs<String, String>, _ histogram: Histogram) {
        let fixed = Self.pairs(labels)
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound = index < Histogram.bounds.count ? "\(Histogram.bounds[index])" : "+Inf"
            let list = (fixed + ["le=\"\(bound)\""]).joined(separator: ",")
            result += "\(name)_bucket{\(list)} \(total)\n"
        }
        sample(labels, histogram.sum, suffix: "_sum")
        sample(labels, Double(total), suffix: "_count")
    }

    private static func pairs(_ labels: KeyValuePairs<String, String>) -> [String] {
        labels.map { label in
            let value = label.value.reduce(into: "") { result, character in
                switch character {
                case "\\": result += "\\\\"
                case "\"": result += "\\\""
                case "\n": result += "\\n"
                default: result.append(character)
                }
            }
            return "\(label.key)=\"\(value)\""
        }
    }

    private static func number(_ value: Double) -> String {
        guard value == value.rounded(), abs(value) < 0x1p53 else { return "\(value)" }
        return "\(Int64(value))"
    }
}
