// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// The programs of `docs/clients.md`, cut out as they stand there.
struct ClientsPage {
    /// The text of each program, by the name in its marker.
    let programs: [String: String]

    /// Reads the page: a program is the fenced block after a line `<!-- test: NAME -->`.
    init() throws {
        let page = try String(
            contentsOf: TestPrograms.checkout.appendingPathComponent("docs/clients.md"),
            encoding: .utf8
        )
        let blocks = page.matches(of: /(?ms)^<!-- test: (\S+) -->\n\n```\w+\n(.*?\n)```$/)
        programs = Dictionary(blocks.map { ("\($0.1)", "\($0.2)") }) { first, _ in first }
        let (markers, fences) = (page.matches(of: /<!-- test:/).count, page.matches(of: /(?m)^```\w/).count)
        guard blocks.count == markers, programs.count == markers, fences >= markers else {
            throw NotInTime(description: "\(markers) markers, and \(blocks.count) blocks of \(programs.count) names")
        }
    }

    /// Writes a program to a directory.
    ///
    /// - Returns: The path of the file, which may be run.
    func write(_ name: String, to directory: TemporaryDirectory) throws -> String {
        guard let text = programs[name] else { throw NotInTime(description: "no program '\(name)' on the page") }
        let path = directory.file(name)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }
}
