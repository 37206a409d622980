// SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// What is logged and how, for all loggers of the process.
///
/// Handlers look here with every entry, so a change counts for loggers that are there already.
package final class LogSettings: Sendable {
    /// How a line is written.
    package enum Format: UInt8, Sendable {
        /// For people.
        case text
        /// One JSON object a line.
        case json
    }

    /// Whether lines go to the journal: each gets a priority, and lines of text no time, as the journal has its own.
    let isJournal: Bool

    private let currentFormat: Atomic<UInt8>
    private let currentLevel: Atomic<UInt8>

    /// Settings to begin with.
    package init(format: Format, level: Logger.Level, isJournal: Bool) {
        self.isJournal = isJournal
        currentFormat = Atomic(format.rawValue)
        currentLevel = Atomic(Self.number(level))
    }

    /// How lines are written.
    package var format: Format { Format(rawValue: currentFormat.load(ordering: .relaxed)) ?? .text }

    /// The least severe level that is written.
    package var level: Logger.Level {
        Logger.Level.allCases[Int(currentLevel.load(ordering: .relaxed))]
    }

    /// Has all loggers write otherwise from now on; a line that is being written may still be of the old kind.
    package func change(format: Format, level: Logger.Level) {
        currentFormat.store(format.rawValue, ordering: .relaxed)
        currentLevel.store(Self.number(level), ordering: .relaxed)
    }

    private static func number(_ level: Logger.Level) -> UInt8 {
        UInt8(Logger.Level.allCases.firstIndex(of: level) ?? 0)
    }
}
