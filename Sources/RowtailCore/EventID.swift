// SPDX-License-Identifier: Apache-2.0

/// The text of an `id:` line for one feed: a position and the generation in which it was given out.
///
/// `1042` in generation 0, `1042@1` in a later one; `earliest` and `earliest@1` stand before the first row. Clients
/// treat it as opaque; people can type it.
package struct EventID: Hashable, Sendable {
    /// Where the row stands.
    package var position: Position

    /// The generation that gave the position out, 0 at first.
    package var generation: Int

    /// Names a position of a generation.
    package init(_ position: Position, generation: Int) {
        self.position = position
        self.generation = generation
    }
}

extension EventID: CustomStringConvertible {
    /// The id as clients see it.
    package var description: String {
        generation == 0 ? position.description : "\(position)@\(generation)"
    }

    /// Reads an id as clients send it.
    ///
    /// - Returns: `nil` when the text is no event id.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let position = Position(parts[0]) else { return nil }
        var generation = 0
        if parts.count == 2 {
            let digits = parts[1]
            guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let value = Int(digits)
            else { return nil }
            generation = value
        }
        self.init(position, generation: generation)
    }
}
