// SPDX-License-Identifier: Apache-2.0

/// The program's version.
enum Version {
    /// As `--version` and `rowtail_build_info` tell it; see CHANGELOG.md.
    static let current = "0.1.0"
}
