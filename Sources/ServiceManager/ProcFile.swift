// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the kernel tells of this process in files that have a line for each thing; see proc(5).
enum ProcFile {
    /// The lines of a file, without their ends; none when it can't be read.
    static func lines(_ path: String) -> [String] {
        guard let file = fopen(path, "re") else { return [] }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        var lines: [String] = []
        while getline(&line, &capacity, file) > 0, let text = line {
            lines.append(String(String(cString: text).prefix { $0 != "\n" }))
        }
        return lines
    }
}
