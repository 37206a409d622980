// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The programs that tests run beside the daemon: writers and clients in other languages.
enum TestPrograms {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// The top of the checkout.
    static let checkout = folder.deletingLastPathComponent().deletingLastPathComponent()

    /// The path of one of them.
    static func path(_ name: String) -> String {
        folder.appendingPathComponent("Programs/\(name)").path
    }
}
