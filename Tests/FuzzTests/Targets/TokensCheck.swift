// SPDX-License-Identifier: Apache-2.0

import RowtailConfig

/// Files of tokens: what is taken is written so that it is taken again as the same, and nothing that is said of a file shows a token.
enum TokensCheck {
    private static let feeds = ["orders", "users"]

    /// Takes the input for a file.
    static func fault(_ input: [UInt8]) -> String? {
        let file: TokensFile
        do throws(ConfigError) {
            file = try TokensFile(input, path: "tokens", feeds: feeds)
        } catch {
            return error.problems.lazy.compactMap { fault($0.description, input) }.first
        }
        for warning in file.warnings {
            if let fault = fault(warning, input) { return fault }
        }
        guard Set(file.entries.map(\.token)).count == file.entries.count else { return "a token twice" }
        let lines = file.entries.map { entry in
            ([entry.token] + (entry.feeds ?? []).sorted()).joined(separator: " ")
        }
        let written = Array(lines.joined(separator: "\n").utf8)
        guard let again = try? TokensFile(written, path: "tokens", feeds: feeds), again.entries == file.entries else {
            return "'\(String(escaping: written))' is not read as it was"
        }
        return nil
    }

    private static func fault(_ message: String, _ input: [UInt8]) -> String? {
        guard message.hasPrefix("tokens:"), message.contains("; ") else { return "no place or remedy: \(message)" }
        let words = input.split { $0 <= 0x20 }.lazy.filter { $0.count >= 16 }.map {
            String(decoding: $0, as: UTF8.self)
        }
        return words.contains { message.contains($0) } ? "a token is shown: \(message)" : nil
    }
}
