// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// A page of the documentation, for tests that hold it and the code together.
package struct DocumentationPage: Sendable {
    /// A table, and where it stands.
    package struct Table: Sendable {
        /// The heading above it.
        package var heading: String
        /// The names of the columns.
        package var columns: [String]
        /// The cells as they are written.
        package var rows: [[String]]

        /// The cells of a column, without the marks of code.
        package func plain(_ column: Int) -> [String] {
            rows.map { $0[column].replacingOccurrences(of: "`", with: "") }
        }

        /// What stands as code in a column, each for itself.
        package func code(_ column: Int) -> [String] {
            rows.flatMap { DocumentationPage.code(in: $0[column]) }
        }
    }

    /// The top of the checkout.
    package static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The README and every page in `docs`, by their paths in the checkout.
    package static let paths: [String] = {
        let pages = (try? FileManager.default.contentsOfDirectory(atPath: checkout.path + "/docs")) ?? []
        return ["README.md", "CONTRIBUTING.md"] + pages.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
    }()

    /// The path in the checkout.
    package let path: String

    /// All of it.
    package let text: String

    /// Reads a page.
    package init(_ path: String) throws {
        self.path = path
        text = try String(contentsOf: Self.checkout.appendingPathComponent(path), encoding: .utf8)
    }

    /// The lines that are no part of a fenced block.
    package var prose: [String] {
        var isFenced = false
        return text.split(separator: "\n", omittingEmptySubsequences: false).compactMap { line in
            if line.hasPrefix("```") { isFenced.toggle() }
            return isFenced || line.hasPrefix("```") ? nil : String(line)
        }
    }

    /// The headings, without their marks.
    package var headings: [String] {
        prose.filter { $0.hasPrefix("#") }.map { String($0.drop { $0 == "#" }.dropFirst()) }
    }

    /// Where links may point to: the headings as code hosts name them.
    package var anchors: Set<String> {
        Set(
            headings.map { heading in
                let kept = heading.lowercased().filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
                return kept.replacingOccurrences(of: " ", with: "-")
            }
        )
    }

    /// The tables in their order.
    package var tables: [Table] {
        var (tables, heading): ([Table], String) = ([], "")
        var wasRow = false
        for line in prose {
            if line.hasPrefix("#") { heading = String(line.drop { $0 == "#" }.dropFirst()) }
            defer { wasRow = line.hasPrefix("|") }
            guard line.hasPrefix("|") else { continue }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
            if !wasRow {
                tables.append(Table(heading: heading, columns: cells, rows: []))
            } else if !cells.allSatisfy({ $0.hasPrefix("--") }) {
                tables[tables.count - 1].rows.append(cells)
            }
        }
        return tables
    }

    /// The table with these columns below a heading.
    package func table(_ columns: [String], below heading: String) throws -> Table {
        guard let table = tables.first(where: { $0.heading == heading && $0.columns == columns }) else {
            throw NotInTime(description: "\(path) has no table \(columns) below '\(heading)'")
        }
        return table
    }

    /// What stands between backticks.
    package static func code(in text: String) -> [String] {
        text.matches(of: /`([^`]+)`/).map { String($0.1) }
    }
}
