// SPDX-License-Identifier: Apache-2.0

/// What one feed leaves to the next of its name in the same process, where nothing is stored on disk.
///
/// Without it, ids would mean something else after a reload than before.
package struct FeedHeritage: Sendable {
    let record: FeedRecord
}
