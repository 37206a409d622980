// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Logging
import ServiceManager
import TestSupport
import Testing

@Suite struct LineLogHandlerTests {
    private func entry(
        _ level: Logger.Level,
        _ message: Logger.Message,
        _ metadata: Logger.Metadata = [:]
    ) -> LogEvent {
        LogEvent(level: level, message: message, metadata: metadata, source: nil, file: "", function: "", line: 0)
    }

    @Test(
        arguments: zip(
            Logger.Level.allCases,
            ["<7>trace", "<7>debug", "<6>info", "<5>notice", "<4>warning", "<3>error", "<2>critical"]
        )
    )
    func `a line in the journal has a priority and no time`(level: Logger.Level, start: String) {
        let handler = LineLogHandler(LogSettings(format: .text, level: .trace, isJournal: true))
        #expect(handler.line(entry(level, "feed is live", ["feed": "orders"])) == "\(start) feed is live feed=orders")
    }

    @Test func `an object in the journal has a priority before it`() throws {
        let handler = LineLogHandler(LogSettings(format: .json, level: .info, isJournal: true))
        let line = handler.line(entry(.warning, "feed is odd", ["feed": "orders"]))
        #expect(line.hasPrefix(#"<4>{"time":""#), "\(line)")
        let object = try JSONSerialization.jsonObject(with: Data(line.dropFirst(3).utf8)) as? [String: String]
        #expect(object?["level"] == "warning" && object?["feed"] == "orders")
    }

    @Test func `elsewhere a line begins with the time`() {
        let handler = LineLogHandler(LogSettings(format: .text, level: .info, isJournal: false))
        let line = handler.line(entry(.info, "listening"))
        #expect(line.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info listening/) != nil, "\(line)")
    }

    @Test(
        arguments: [LogSettings.Format.text, .json],
        ["two\nlines", "two\r\nlines", "two\rlines", "two\u{85}lines", "\u{1B}[2J"]
    )
    func `an entry is one line, whatever is in it`(format: LogSettings.Format, value: String) {
        let handler = LineLogHandler(LogSettings(format: format, level: .info, isJournal: true))
        let line = handler.line(entry(.info, "message", ["value": "\(value)"]))
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 }, "\(line)")
        if format == .text {
            #expect(handler.line(entry(.info, "\(value)")).split(whereSeparator: \.isNewline).count == 1)
        }
    }

    @Test func `a change counts for loggers that are there already`() {
        let settings = LogSettings(format: .text, level: .info, isJournal: true)
        let logger = Logger(label: "rowtail") { _ in LineLogHandler(settings) }
        var quiet = logger
        quiet.logLevel = .error
        #expect(logger.logLevel == .info)
        settings.change(format: .json, level: .debug)
        #expect(settings.format == .json && settings.level == .debug)
        #expect(logger.logLevel == .debug)
        // One that was given its own level keeps it.
        #expect(quiet.logLevel == .error)
        #expect(LineLogHandler(settings).line(entry(.debug, "polled")).hasPrefix("<7>{"))
    }

    @Test func `the journal is told from a file that took its place`() throws {
        let directory = try TemporaryDirectory()
        let (journal, other) = (directory.file("journal"), directory.file("other"))
        let descriptor = open(journal, O_CREAT | O_WRONLY, 0o600)
        let elsewhere = open(other, O_CREAT | O_WRONLY, 0o600)
        defer { for descriptor in [descriptor, elsewhere] { close(descriptor) } }
        var file = stat()
        try #require(fstat(descriptor, &file) == 0)
        let environment = ["JOURNAL_STREAM": "\(file.st_dev):\(file.st_ino)"]
        #expect(JournalStream.takes(descriptor, environment: environment))
        #expect(!JournalStream.takes(elsewhere, environment: environment))
        #expect(!JournalStream.takes(descriptor, environment: [:]))
    }
}
