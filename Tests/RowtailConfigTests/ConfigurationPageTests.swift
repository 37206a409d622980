// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailConfig
import Testing

/// `docs/configuration.md` against the parser: its keys with their types, defaults and ranges, and the examples of every page.
@Suite struct ConfigurationPageTests {
    /// One row of a table of keys.
    private struct Row: Hashable {
        var path: String
        var type: String
        var standard: String
        var range: String
    }

    /// The rows of all tables of keys, without the marks of code and links.
    private static func rows() throws -> [Row] {
        let page = try SampleConfigTests.text(of: "docs/configuration.md")
        return page.matches(of: /(?m)^\| (`[a-zA-Z0-9_.]+`) \|([^|]*)\|([^|]*)\|([^|]*)\|$/).map { match in
            func plain(_ cell: Substring) -> String {
                cell.replacing("`", with: "").trimmingCharacters(in: .whitespaces)
            }
            return Row(
                path: plain(match.1),
                type: plain(match.2),
                standard: plain(match.3),
                range: plain(match.4)
            )
        }
    }

    /// The keys that a section's list says something of, without the names of the section.
    private static func described() throws -> [String] {
        let page = try SampleConfigTests.text(of: "docs/configuration.md")
        return page.matches(of: #/(?m)^- ((?:`[a-zA-Z0-9_.]+`(?:, )?)+): /#).flatMap { match in
            match.1.matches(of: /`([^`]+)`/).map { "\($0.1)" }
        }
    }

    @Test(arguments: RowtailConfig.keys.map(\.path)) func `the page says what happens by the key`(_ key: String) throws
    {
        let described = try Self.described()
        #expect(described.contains { key == $0 || key.hasSuffix(".\($0)") }, "\(key)")
    }

    @Test func `the page describes no key that isn't there`() throws {
        for name in try Self.described() {
            let isThere = RowtailConfig.keys.contains { $0.path == name || $0.path.hasSuffix(".\(name)") }
            #expect(isThere, "\(name)")
        }
    }

    /// What the page says in words of keys that have no default that could be written.
    private static let words: Set<String> = ["", "none", "all", "the primary key", "database", "$STATE_DIRECTORY"]

    @Test func `the page has every key of the parser once, and no other`() throws {
        #expect(try Self.rows().map(\.path).sorted() == RowtailConfig.keys.map(\.path).sorted())
        #expect(RowtailConfig.keys.count > 40)
    }

    @Test(arguments: RowtailConfig.keys)
    func `type, default and range are those of the parser`(_ key: ConfigKey) throws {
        let row = try #require(try Self.rows().first { $0.path == key.path }, "there is no \(key.path)")
        #expect(row.type == key.type, "\(key.path)")
        // A feed's table is by default the one with its name, and a feed here is called NAME.
        let standard = row.standard == "the feed's name" ? "NAME" : row.standard
        if let written = key.standard {
            #expect(standard == written, "\(key.path)")
        } else {
            #expect(Self.words.contains(standard), "\(key.path) has no default")
        }
        if let range = key.range {
            #expect(row.range == range, "\(key.path)")
        }
    }

    @Test func `the defaults of the page, written out, change nothing`() throws {
        let rows = try Self.rows().filter { !Self.words.contains($0.standard) && $0.standard != "the feed's name" }
        var sections: [String: [String]] = [:]
        for row in rows {
            let (section, key) =
                row.path.lastIndex(of: ".").map {
                    (String(row.path[..<$0]), row.path[row.path.index(after: $0)...])
                } ?? ("", row.path[...])
            sections[section, default: []].append("\(key): \(row.standard)")
        }
        var text = "database: /var/lib/app/app.db\n" + (sections.removeValue(forKey: "") ?? []).joined(separator: "\n")
        let feed = sections.removeValue(forKey: "feeds.NAME") ?? []
        #expect(feed.count > 5)
        for (section, keys) in sections { text += "\n\(section): {\(keys.joined(separator: ", "))}" }
        text += "\nfeeds:\n  orders: {\(feed.joined(separator: ", "))}\n"
        #expect(try SampleConfigTests.parse(text) == SampleConfigTests.expected, "\(text)")
    }

    /// Every page, and the fenced blocks of YAML in it that are a whole configuration.
    private static let examples: [String] = {
        let folder = SampleConfigTests.root.appending(path: "docs")
        let pages = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).map { "docs/\($0)" }
        return (pages.filter { $0.hasSuffix(".md") } + ["README.md"]).sorted().flatMap { page -> [String] in
            let text = (try? SampleConfigTests.text(of: page)) ?? ""
            return text.matches(of: /(?s)```yaml\n(.*?)```/).map { "# \(page)\n\($0.1)" }
                .filter { $0.contains(/(?m)^feeds:/) }
        }
    }()

    @Test func `there are examples to check`() {
        #expect(Self.examples.count >= 3)
    }

    @Test(arguments: examples) func `an example of a whole configuration is valid`(_ example: String) throws {
        let text = example.contains(/(?m)^database:|database:/) ? example : "database: /var/lib/app/app.db\n\(example)"
        let environment = ["CREDENTIALS_DIRECTORY": "/run/credentials/rowtail.service"]
        #expect(throws: Never.self) {
            try RowtailConfig.parse(text, file: "/etc/rowtail/rowtail.yaml", environment: environment)
        }
    }
}
