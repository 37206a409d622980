// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Ends a probe's watching before its time; what was seen until then is still judged.
package final class Interruption: Sendable {
    private let flag = Atomic(false)

    /// One that nobody asked for yet.
    package init() {}

    /// Whether it was asked for.
    var isRequested: Bool { flag.load(ordering: .relaxed) }

    /// Asks for it.
    ///
    /// - Returns: Whether nobody had before.
    package func request() -> Bool {
        !flag.exchange(true, ordering: .relaxed)
    }
}
