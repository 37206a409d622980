// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The programs that tests run beside the daemon: writers and clients in other languages.
enum TestPrograms {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// The top of the checkout.
    static let checkout = folder.deletingLastPathComponent().deletingLastPathComponent()

    /// The path of one of them.
    static func path(_ name: String) -> String {
        folder.appendingPathComponent("Programs/\(name)").path
    }

    /// Lets a test run where one of some programs is there.
    ///
    /// Where everything is to be run, it runs anyhow, and fails without.
    static func needs(_ names: String..., package: String) -> ConditionTrait {
        let environment = ProcessInfo.processInfo.environment
        let folders = (environment["PATH"] ?? "").split(separator: ":")
        let found = names.contains { name in
            folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
        }
        let needsAll = environment["ROWTAIL_SOAK"] == "1"
        return .enabled(if: found || needsAll, "no \(names[0]) found; on Debian: apt-get install \(package)")
    }
}
