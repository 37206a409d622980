// SPDX-License-Identifier: Apache-2.0

/// A secret that lets its holder read feeds.
///
/// Streams keep the one that they were opened with, so that it can be asked again whether they may go on. Nothing shows the secret.
package final class AccessToken: Sendable {
    /// The secret.
    let bytes: [UInt8]

    /// The feeds that it covers; `nil` for all.
    let feeds: Set<String>?

    /// A token; `feeds` may name some that don't exist.
    package init(_ token: String, feeds: Set<String>? = nil) {
        bytes = Array(token.utf8)
        self.feeds = feeds
    }

    /// Whether it covers a feed.
    func covers(_ feed: some StringProtocol) -> Bool {
        feeds.map { $0.contains(String(feed)) } ?? true
    }
}

extension AccessToken: CustomStringConvertible, CustomReflectable {
    /// The feeds, without the secret.
    package var description: String {
        "a token of \(feeds.map { $0.sorted().joined(separator: ", ") } ?? "all feeds")"
    }

    /// Nothing, so that no dump shows the secret.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
