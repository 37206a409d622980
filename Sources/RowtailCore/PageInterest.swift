// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Whether somebody still waits for a page.
///
/// Clients come, ask for old rows and go, quicker than rows can be read; what nobody waits for any more is not read.
package final class PageInterest: Sendable {
    private let isWanted = Atomic(true)

    /// Somebody waits.
    package init() {}

    /// Whether nobody waits any more.
    package var isLost: Bool {
        !isWanted.load(ordering: .relaxed)
    }

    /// Says that nobody waits any more.
    package func lose() {
        isWanted.store(false, ordering: .relaxed)
    }
}
