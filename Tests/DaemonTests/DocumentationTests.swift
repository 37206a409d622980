// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What holds for all pages: links lead somewhere, and the first page stays short.
@Suite struct DocumentationTests {
    @Test func `the README is a page that people read to its end`() throws {
        let lines = try DocumentationPage("README.md").text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count < 200)
    }

    @Test func `the README leads to every page`() throws {
        let text = try DocumentationPage("README.md").text
        for path in DocumentationPage.paths where path != "README.md" {
            #expect(text.contains("](\(path))"), "\(path) is not in the README")
        }
    }

    @Test(arguments: DocumentationPage.paths) func `every link of a page leads somewhere`(_ path: String) throws {
        let page = try DocumentationPage(path)
        let folder = URL(fileURLWithPath: path, relativeTo: DocumentationPage.checkout).deletingLastPathComponent()
        for match in page.prose.joined(separator: "\n").matches(of: /\]\(([^)\s]+)\)/) {
            let parts = match.1.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard !parts[0].hasPrefix("http") else { continue }
            let target = parts[0].isEmpty ? path : folder.appendingPathComponent(parts[0]).standardizedFileURL.path
            let relative = target.replacingOccurrences(of: DocumentationPage.checkout.path + "/", with: "")
            let file = DocumentationPage.checkout.appendingPathComponent(relative)
            guard FileManager.default.fileExists(atPath: file.path) else {
                Issue.record("\(path): there is no '\(parts[0])'")
                continue
            }
            if parts.count == 2 {
                let anchors = try DocumentationPage(relative).anchors
                #expect(anchors.contains(parts[1]), "\(path): there is no '\(match.1)'")
            }
        }
    }

    @Test(arguments: DocumentationPage.paths) func `what a page names in the checkout is there`(_ path: String) throws {
        let text = try DocumentationPage(path).prose.joined(separator: "\n")
        for match in text.matches(
            of: #/`((?:scripts|config|docs|Sources|Tests|Benchmarks|packaging)/[\w./-]+?)(?: [^`]*)?`/#
        ) {
            let file = DocumentationPage.checkout.appendingPathComponent("\(match.1)")
            #expect(FileManager.default.fileExists(atPath: file.path), "\(path): there is no '\(match.1)'")
        }
    }
}
