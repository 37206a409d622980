// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Logging

/// Writes each log entry as one line to standard error, as text for people or as JSON for machines.
///
/// `2026-11-22T09:30:00.123Z info feed is live feed=orders head=1042`; in JSON, `time`, `level`, `message`, and the
/// metadata as fields of one object. In the journal, lines begin with their priority, as `<6>`, and those of text have no
/// time. A line break in a message or a value is written so that it doesn't end the line.
package struct LineLogHandler: LogHandler {
    /// What every line carries.
    package var metadata: Logger.Metadata = [:]

    private let settings: LogSettings
    private var ownLevel: Logger.Level?

    /// A handler for one logger.
    package init(_ settings: LogSettings) {
        self.settings = settings
    }

    /// The least severe level that is written: that of the settings, until this logger is given its own.
    package var logLevel: Logger.Level {
        get { ownLevel ?? settings.level }
        set { ownLevel = newValue }
    }

    /// One field of the metadata that every line carries.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes an entry.
    package func log(event: LogEvent) {
        LogOutput.write(line(event) + "\n")
    }

    /// The line for an entry, without its end.
    package func line(_ event: LogEvent) -> String {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let line =
            switch settings.format {
            case .text: text(event, fields)
            case .json: json(event, fields)
            }
        return settings.isJournal ? JournalStream.prefix(event.level) + line : line
    }

    private func text(_ event: LogEvent, _ fields: [(key: String, value: Logger.Metadata.Value)]) -> String {
        var line = "\(event.level) \(Self.oneLine("\(event.message)"))"
        if !settings.isJournal { line = "\(Self.now()) \(line)" }
        for (key, value) in fields {
            let text = "\(value)"
            let isPlain = !text.isEmpty && !text.contains { $0.isWhitespace || $0 < " " || $0 == "\"" || $0 == "=" }
            line += " \(key)=\(isPlain ? text : Self.quoted(text))"
        }
        return line
    }

    private func json(_ event: LogEvent, _ fields: [(key: String, value: Logger.Metadata.Value)]) -> String {
        var line =
            "{\"time\":\"\(Self.now())\",\"level\":\"\(event.level)\",\"message\":\(Self.quoted("\(event.message)"))"
        for (key, value) in fields {
            line += ",\(Self.quoted(key)):\(Self.quoted("\(value)"))"
        }
        return line + "}"
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// The time in UTC, to the millisecond (RFC 3339).
    private static func now() -> String {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        var parts = tm()
        gmtime_r(&clock.tv_sec, &parts)
        func padded(_ value: some BinaryInteger, _ width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        let time = "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
        return "\(date)T\(time).\(padded(clock.tv_nsec / 1_000_000, 3))Z"
    }
}
