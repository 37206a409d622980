// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// What is kept of a feed across restarts.
package struct FeedRecord: Hashable, Sendable {
    /// The feed's name.
    package var feed: String

    /// The generations so far.
    package var history = GenerationHistory()

    /// The newest position handed over.
    package var watermark: Position = .earliest

    /// The last place in a log that began a generation, as writes before it may be missing.
    package var gap: Position = .earliest

    /// The file that was watched; `nil` before there was one.
    package var file: FileStat.Identity?

    /// Rows that prove that a file still holds the history served, newest first.
    package var anchors: [Anchor] = []

    /// A record of a feed of which nothing is known.
    package init(feed: String) {
        self.feed = feed
    }
}

extension FeedRecord: Codable {
    private enum Key: String, CodingKey {
        case format, version, feed, generation, breaks, watermark, gap, device, inode, anchors
        case base, replaced, position, columns
    }

    private static let format = "rowtail feed state"
    private static let version = 1

    /// Writes the record.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(Self.format, forKey: .format)
        try container.encode(Self.version, forKey: .version)
        try container.encode(feed, forKey: .feed)
        try container.encode(history.current, forKey: .generation)
        var breaks = container.nestedUnkeyedContainer(forKey: .breaks)
        for item in history.breaks {
            var entry = breaks.nestedContainer(keyedBy: Key.self)
            try entry.encode(item.generation, forKey: .generation)
            try entry.encode(item.base.description, forKey: .base)
            try entry.encode(item.replaced, forKey: .replaced)
        }
        try container.encode(watermark.description, forKey: .watermark)
        if gap > .earliest { try container.encode(gap.description, forKey: .gap) }
        try container.encodeIfPresent(file?.device, forKey: .device)
        try container.encodeIfPresent(file?.inode, forKey: .inode)
        var list = container.nestedUnkeyedContainer(forKey: .anchors)
        for anchor in anchors {
            var entry = list.nestedContainer(keyedBy: Key.self)
            try entry.encode(anchor.position.description, forKey: .position)
            try entry.encode(anchor.columns, forKey: .columns)
        }
    }

    /// Reads a record.
    ///
    /// - Throws: `DecodingError` when it is none, or contradicts itself.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        func position(_ container: KeyedDecodingContainer<Key>, _ key: Key) throws -> Position {
            guard let position = Position(try container.decode(String.self, forKey: key)) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "no position")
            }
            return position
        }
        guard try container.decode(String.self, forKey: .format) == Self.format,
            try container.decode(Int.self, forKey: .version) == Self.version
        else {
            throw DecodingError.dataCorruptedError(forKey: .format, in: container, debugDescription: "another format")
        }
        self.init(feed: try container.decode(String.self, forKey: .feed))
        var breaks: [GenerationHistory.Break] = []
        var entries = try container.nestedUnkeyedContainer(forKey: .breaks)
        while !entries.isAtEnd {
            let entry = try entries.nestedContainer(keyedBy: Key.self)
            breaks.append(
                GenerationHistory.Break(
                    generation: try entry.decode(Int.self, forKey: .generation),
                    base: try position(entry, .base),
                    replaced: try entry.decode(Bool.self, forKey: .replaced)
                )
            )
        }
        guard
            let history = GenerationHistory(
                current: try container.decode(Int.self, forKey: .generation),
                breaks: breaks
            )
        else {
            throw DecodingError.dataCorruptedError(forKey: .breaks, in: container, debugDescription: "gaps")
        }
        self.history = history
        watermark = try position(container, .watermark)
        if container.contains(.gap) { gap = try position(container, .gap) }
        if let device = try container.decodeIfPresent(UInt64.self, forKey: .device),
            let inode = try container.decodeIfPresent(UInt64.self, forKey: .inode)
        {
            file = FileStat.Identity(device: device, inode: inode)
        }
        var list = try container.nestedUnkeyedContainer(forKey: .anchors)
        while !list.isAtEnd {
            let entry = try list.nestedContainer(keyedBy: Key.self)
            anchors.append(
                Anchor(
                    position: try position(entry, .position),
                    columns: try entry.decode([String: UInt64].self, forKey: .columns)
                )
            )
        }
    }
}
