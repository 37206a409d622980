// SPDX-License-Identifier: Apache-2.0

import RowtailConfig

/// Configuration files: every one is taken, within its ranges, or refused with places and remedies.
enum ConfigurationCheck {
    private static let environment = ["NAME": "value", "EMPTY": "", "HOME": "/home/a", "MANY": "a: b\n- c"]

    /// Takes the input for a file.
    static func fault(_ input: [UInt8]) -> String? {
        // What isn't UTF-8 is refused before it is parsed.
        guard let text = String(validating: input, as: UTF8.self) else { return nil }
        do {
            return fault(try RowtailConfig.parse(text, file: "rowtail.yaml", environment: environment))
        } catch let error as ConfigError {
            if error.problems.isEmpty { return "refused for nothing" }
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).count
            return error.problems.lazy.compactMap { fault($0, lines: lines) }.first
        } catch {
            return "another error: \(error)"
        }
    }

    private static func fault(_ problem: ConfigError.Problem, lines: Int) -> String? {
        let text = problem.description
        guard text.hasPrefix("rowtail.yaml:"), problem.line != nil || mayLackLine(problem) else {
            return "no place: \(text)"
        }
        if let line = problem.line, !(1...lines).contains(line) { return "there is no such line: \(text)" }
        if !problem.message.contains("; ") { return "no remedy: \(text)" }
        let hasControls = text.unicodeScalars.contains { $0.properties.generalCategory == .control }
        return hasControls || text.utf8.count > 4096 ? "no line for people: \(text)" : nil
    }

    /// What is wrong with the file as a whole.
    private static func mayLackLine(_ problem: ConfigError.Problem) -> Bool {
        problem.keyPath == "feeds" || problem.message.hasPrefix("too many keys")
    }

    private static func fault(_ config: RowtailConfig) -> String? {
        let isInRange =
            !config.listen.isEmpty && !config.feeds.isEmpty && config.pollInterval >= .milliseconds(10)
            && config.tailBytes >= 64 << 10 && config.pageRows >= 1 && config.limits.requestHead >= 1 << 10
            && Set(config.feeds.map(\.name)).count == config.feeds.count
            && config.feeds.allSatisfy { $0.database.hasPrefix("/") && !$0.table.isEmpty }
        return isInRange ? nil : "taken, and out of range: \(config)"
    }
}
