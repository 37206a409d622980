// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// What the configuration says of the table behind a feed.
package struct WatchedTable: Sendable, Hashable {
    /// The feed's name.
    package var feed: String

    /// The table's name.
    package var table: String

    /// What the feed guarantees, and so how the table is read.
    package var mode: FeedMode

    /// The column whose value is the position; `nil` for the INTEGER PRIMARY KEY.
    package var watermark: String?

    /// The columns that tell rows apart; `nil` for the primary key.
    package var key: [String]?

    /// How long `updated` mode waits for other writes of the same time.
    package var settle: Duration

    /// The columns of an event in order; `nil` for all.
    package var columns: [String]?

    /// An SQL expression that chooses the rows; the others are passed over.
    package var filter: String?

    /// The columns whose text is embedded as JSON where it is valid.
    package var jsonColumns: [String]

    /// How INTEGER values are written.
    package var integers: IntegerFormat

    /// The greatest number of rows looked at in one read transaction.
    package var pageRows: Int

    /// The size in bytes at which a page ends.
    package var pageBytes: Int

    /// The size in bytes over which an event is replaced by `rowtail.oversize`.
    package var maxEventBytes: Int

    /// Collects the options.
    package init(
        feed: String,
        table: String,
        mode: FeedMode = .append,
        watermark: String? = nil,
        key: [String]? = nil,
        settle: Duration = .seconds(2),
        columns: [String]? = nil,
        filter: String? = nil,
        jsonColumns: [String] = [],
        integers: IntegerFormat = .number,
        pageRows: Int = 1000,
        pageBytes: Int = 256 << 10,
        maxEventBytes: Int = 1 << 20
    ) {
        self.feed = feed
        self.table = table
        self.mode = mode
        self.watermark = watermark
        self.key = key
        self.settle = settle
        self.columns = columns
        self.filter = filter
        self.jsonColumns = jsonColumns
        self.integers = integers
        self.pageRows = pageRows
        self.pageBytes = pageBytes
        self.maxEventBytes = maxEventBytes
    }
}
