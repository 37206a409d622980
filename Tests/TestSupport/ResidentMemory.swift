// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The memory that this process takes.
package enum ResidentMemory {
    /// It can't be read.
    package struct Unknown: Error {}

    /// The bytes resident now, see proc_pid_statm(5).
    package static func now() throws -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { throw Unknown() }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, CInt(line.count), file) != nil else { throw Unknown() }
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { throw Unknown() }
        return pages * Int(getpagesize())
    }
}
