// SPDX-License-Identifier: Apache-2.0

/// Who may read what: the tokens that are in force.
package struct AccessList: Sendable {
    /// Whether a token may stand in the query, as `access_token`.
    package let allowsQueryToken: Bool

    /// The name of the cookie that may carry a token; `nil` for none.
    package let cookie: String?

    private let tokens: [AccessToken]
    /// The same by their secrets, for tokens that were found to be genuine before.
    private let known: [[UInt8]: AccessToken]
    private let longest: Int

    /// A list; an empty one lets nobody read.
    ///
    /// Of tokens with the same secret the last counts.
    package init(_ tokens: [AccessToken], allowsQueryToken: Bool = false, cookie: String? = nil) {
        self.allowsQueryToken = allowsQueryToken
        self.cookie = cookie
        known = Dictionary(tokens.map { ($0.bytes, $0) }) { $1 }
        self.tokens = Array(known.values)
        longest = tokens.map(\.bytes.count).max() ?? 0
    }

    /// Finds the token that a client presents, in a time that tells nothing about those that there are.
    ///
    /// Every byte of every token is compared, whatever was presented: a guess that begins right takes as long as any
    /// other.
    func token(_ presented: some StringProtocol) -> AccessToken? {
        // As long as the longest, so that how much is compared doesn't depend on it.
        var guess = [UInt8](repeating: 0, count: longest)
        for (index, byte) in presented.utf8.prefix(longest).enumerated() { guess[index] = byte }
        let length = presented.utf8.count
        var found: AccessToken?
        for token in tokens {
            var difference = UInt(bitPattern: token.bytes.count ^ length)
            for index in token.bytes.indices { difference |= UInt(token.bytes[index] ^ guess[index]) }
            if difference == 0 { found = token }
        }
        return found
    }

    /// Whether a stream of a feed may go on that was opened with a token, or without one.
    package func permits(_ token: AccessToken?, feed: String) -> Bool {
        guard let token, let current = known[token.bytes] else { return false }
        return current.covers(feed)
    }
}

extension AccessList: CustomStringConvertible {
    /// How many tokens there are.
    package var description: String { "\(tokens.count) tokens" }
}
