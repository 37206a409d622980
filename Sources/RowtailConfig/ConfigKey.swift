// SPDX-License-Identifier: Apache-2.0

/// A key of the configuration file, as the parser knows it.
///
/// It is noted where the key is read, from what reads it, so that no list of keys can fall behind the parser.
package struct ConfigKey: Sendable, Hashable {
    /// The key behind its sections, such as `limits.streams`; a name that users choose is `NAME`.
    package let path: String

    /// What its value is, such as `duration`; `section` for one that holds keys.
    package let type: String

    /// What counts without the key, as it would be written; `nil` where nothing does, or nothing that can be written.
    package let standard: String?

    /// The values that are possible, such as `10ms to 1h`; `nil` where they aren't told in few words.
    package let range: String?
}

extension RowtailConfig {
    /// Every key of the file, sections included, in the order in which they are read.
    package static var keys: [ConfigKey] {
        let root = try? ConfigNode.root(of: "feeds: {NAME: {}}")
        let source = ConfigSource(file: "", environment: [:])
        var reader = SectionReader(root ?? nil, path: nil, line: nil, source: source)
        var config = RowtailConfig()
        config.readSettings(from: &reader, directory: "/")
        config.readFeeds(from: &reader, directory: "/", hasDefault: true)
        return reader.keys
    }
}
