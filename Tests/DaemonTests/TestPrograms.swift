// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The programs that tests run beside the daemon: writers and clients in other languages.
enum TestPrograms {
    /// The path of one of them.
    static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Programs/\(name)").path
    }
}
