// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A directory that goes away with its last reference.
package final class TemporaryDirectory: Sendable {
    /// The directory's path.
    package let path: String

    /// Makes a directory with a name that nobody else has.
    package init() throws {
        let base = FileManager.default.temporaryDirectory.path
        path = "\(base)/rowtail-test-\(UUID().uuidString.prefix(13).lowercased())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of a file in it.
    package func file(_ name: String) -> String {
        "\(path)/\(name)"
    }
}
