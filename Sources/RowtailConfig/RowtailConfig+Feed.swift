// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

extension RowtailConfig {
    /// A table that clients can subscribe to.
    package struct Feed: Sendable, Equatable {
        /// The name in URLs and event ids.
        package var name: String

        /// The path of the database file.
        package var database: String

        /// The table that is read.
        package var table: String

        /// What the feed guarantees.
        package var mode = FeedMode.append

        /// The column that orders the rows; `nil` for the table's primary key.
        package var watermark: String?

        /// The columns that tell rows apart; `nil` for the primary key.
        package var key: [String]?

        /// How long `updated` mode waits for other writes of the same time.
        package var settle: Duration = .seconds(2)

        /// The columns of an event, in this order; `nil` for all.
        package var columns: [String]?

        /// An SQL expression that rows must meet to be sent.
        package var filter: String?

        /// The name of the feed's events; `nil` sends none, so that `onmessage` gets them.
        package var event: String?

        /// The columns whose text is embedded as JSON.
        package var jsonColumns: [String] = []

        /// How INTEGER values are written.
        package var int64 = IntegerFormat.number

        /// Where a stream starts that names no position.
        package var start = StartPoint.latest

        /// Where a stream goes on that can't be continued.
        package var onReset = ResetPolicy.earliest

        /// How long `log` mode keeps what was captured.
        package var capture = Capture()

        /// Whether the feed has ended for good: it answers 204, which tells browsers to stop reconnecting.
        package var retired = false

        /// Holds the defaults, with the feed's name as that of the table.
        package init(name: String, database: String) {
            self.name = name
            self.database = database
            self.table = name
        }
    }

    /// How long the log of a captured table is kept; without a bound, nothing is ever deleted.
    package struct Capture: Sendable, Equatable {
        /// The age at which an entry may go; `nil` for none.
        package var retentionAge: Duration?

        /// How many entries of the table are kept; `nil` for all.
        package var retentionRows: Int?

        /// How often the daemon prunes the log; `nil` for never.
        package var pruneInterval: Duration?

        /// Keeps everything.
        package init() {}

        /// Whether there is a bound.
        package var hasBound: Bool { retentionAge != nil || retentionRows != nil }
    }
}
