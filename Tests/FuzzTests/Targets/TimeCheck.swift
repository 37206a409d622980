// SPDX-License-Identifier: Apache-2.0

import RowtailCore

@testable import SQLiteSource

/// Times in a column: what is read is written so that it is read again as the same, and no value is too odd to be judged.
enum TimeCheck {
    private static let now = UnixTime(microseconds: 1_790_000_000_000_000)

    /// Takes every line for a value, and all of them for a column.
    static func fault(_ input: [UInt8]) -> String? {
        let lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        for line in lines {
            if let fault = fault(text: line) { return fault }
        }
        let values = lines.map { line in
            let token = KeyValue(token: String(decoding: line, as: UTF8.self))
            return if let token, token.number != nil { token } else { KeyValue.text(line) }
        }
        guard let format = WatermarkFormat.detect(values, now: now) else { return nil }
        _ = format.description
        if let resolution = format.resolution, resolution < 1 { return "a resolution of \(resolution)" }
        for value in values where format.fits(value) {
            guard let time = format.time(of: value) else {
                if format == .version || value.number != nil { continue }
                return "'\(value.token)' is of the format, and no time"
            }
            // Numbers with a fraction are rounded.
            guard case .text = format, let frontier = format.value(at: time) else { continue }
            if frontier < value, format.time(of: frontier) != time { return "'\(value.token)' is past its own time" }
        }
        return nil
    }

    private static func fault(text: [UInt8]) -> String? {
        guard let read = TimeText(text) else { return nil }
        let written = Array(TimeText.write(read.time, read.style).utf8)
        guard let again = TimeText(written), again == read else {
            return "'\(String(escaping: written))' is not read as it was"
        }
        if let time = UnixTime(rfc3339: String(decoding: text, as: UTF8.self)), time != read.time {
            return "two times are read of one text"
        }
        return nil
    }
}
