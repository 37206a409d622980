// SPDX-License-Identifier: Apache-2.0

/// How often the newest part of a feed's rows went away, and how far each generation agrees with the one before.
///
/// The idea of Kafka's leader epochs (KIP-101): an id of generation g resumes at the least of its position and the
/// bases of all later generations, so nothing newer is missed and nothing older is repeated.
package struct GenerationHistory: Hashable, Sendable {
    /// The start of a generation.
    package struct Break: Hashable, Sendable {
        /// The generation that began here, at least 1.
        package var generation: Int

        /// The newest position surely shared with the generation before.
        package var base: Position

        /// Whether nothing was shared: another file or table took the place.
        package var replaced: Bool

        /// Describes the start of a generation.
        package init(generation: Int, base: Position, replaced: Bool) {
            self.generation = generation
            self.base = base
            self.replaced = replaced
        }
    }

    /// How many breaks are kept; ids of generations older than that get a reset with reason `generation`.
    package static let breakLimit = 1024

    /// The generation that new ids belong to.
    package private(set) var current: Int

    /// The starts of the newest generations, oldest first, at most ``breakLimit``.
    package private(set) var breaks: [Break]

    /// A history that only grew so far.
    package init() {
        current = 0
        breaks = []
    }

    /// Takes up a stored history.
    ///
    /// - Returns: `nil` when the breaks are not consecutive generations that end at `current`.
    package init?(current: Int, breaks: [Break]) {
        guard current >= breaks.count else { return nil }
        for (offset, item) in breaks.enumerated() where item.generation != current - breaks.count + 1 + offset {
            return nil
        }
        guard current == 0 || !breaks.isEmpty else { return nil }
        self.current = current
        self.breaks = breaks
    }

    /// Starts the next generation.
    ///
    /// - Parameter base: The newest position surely shared with the current generation; `nil` when nothing is.
    package mutating func advance(base: Position?) {
        current += 1
        breaks.append(Break(generation: current, base: base ?? .earliest, replaced: base == nil))
        if breaks.count > Self.breakLimit {
            breaks.removeFirst()
        }
    }

    /// Where an id can go on.
    package enum Continuation: Hashable, Sendable {
        /// After this position, with nothing missed or repeated.
        case exact(Position)

        /// The rows after the id's base went away: the stream goes on from the base.
        case rewound(Position)

        /// Nowhere; the feed's reset policy decides.
        case lost(ResetReason)
    }

    /// Finds where a client that holds an id goes on.
    ///
    /// - Parameters:
    ///   - id: The id of the last event that the client has.
    ///   - head: The newest position handed out in the current generation.
    ///   - earliest: Just before the oldest row that is to be had.
    /// - Returns: Where, or why nowhere.
    package func continuation(of id: EventID, head: Position, earliest: Position = .earliest) -> Continuation {
        guard id.generation <= current else { return .lost(.generation) }
        let later = breaks.suffix(current - id.generation)
        guard later.count == current - id.generation else { return .lost(.generation) }
        guard !later.contains(where: \.replaced) else { return .lost(.replaced) }
        if let base = later.map(\.base).min(), id.position > base {
            return base < earliest ? .lost(.pruned) : .rewound(base)
        }
        if id.position > head { return .lost(.ahead) }
        return id.position < earliest ? .lost(.pruned) : .exact(id.position)
    }
}
