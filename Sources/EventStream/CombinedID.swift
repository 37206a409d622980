// SPDX-License-Identifier: Apache-2.0

/// The text of an `id:` line on a stream of several feeds: `orders:1042,users:77@1`, in the order of the request.
///
/// Each part is a feed's name and the ``EventID`` where that feed's events stand. Neither names nor ids contain a comma,
/// and names no colon. A part without an id belongs to a feed of which the stream doesn't know yet where it starts: a client
/// that comes back with it starts there as one that holds no id.
package enum CombinedID {
    /// One feed of a request for several.
    package struct Scope: Sendable {
        /// The feed's name.
        package var feed: String

        /// The names of all feeds of the request, in its order.
        package var feeds: [String]

        /// Names one feed of several.
        package init(feed: String, feeds: [String]) {
            self.feed = feed
            self.feeds = feeds
        }

        /// Takes this feed's part out of an id.
        ///
        /// - Returns: The part's id, which may be empty; `nil` when the id doesn't name exactly the feeds of the request.
        package func part(of text: some StringProtocol) -> String? {
            var found: [Substring: Substring] = [:]
            for part in String(text).split(separator: ",", omittingEmptySubsequences: false) {
                let sides = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard sides.count == 2, found.updateValue(sides[1], forKey: sides[0]) == nil else { return nil }
            }
            guard found.count == feeds.count, feeds.allSatisfy({ found[$0[...]] != nil }) else { return nil }
            return found[feed[...]].map(String.init)
        }
    }

    /// Puts an id together.
    ///
    /// - Parameter parts: Each feed's name and the text of its id, empty while it isn't known.
    /// - Returns: The text of the `id:` line.
    package static func text(_ parts: some Sequence<(feed: String, id: String)>) -> String {
        parts.map { "\($0.feed):\($0.id)" }.joined(separator: ",")
    }
}
