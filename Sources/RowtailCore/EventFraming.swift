// SPDX-License-Identifier: Apache-2.0

/// Puts rows on the wire: what stands before and after a row's JSON.
///
/// The seam between whoever reads rows and the format that clients get, so that sources know nothing of Server-Sent
/// Events. One instance serves one feed.
package protocol EventFraming: Sendable {
    /// Writes what comes before a row's JSON.
    ///
    /// - Returns: The offset where this event's bytes begin, for ``close(_:from:)``.
    func open(_ id: EventID, in writer: inout ByteWriter) -> Int

    /// Writes what comes after a row's JSON and completes what ``open(_:in:)`` could not know yet.
    func close(_ writer: inout ByteWriter, from start: Int)

    /// Writes the event that stands in for a row whose event would be too large.
    ///
    /// `bytes` is how large it would have been at least.
    func oversize(_ id: EventID, bytes: Int, in writer: inout ByteWriter)

    /// Writes the event that tells that rows before it are not to be had, with the id of its own place in the order.
    func reset(_ reset: Reset, at id: EventID, in writer: inout ByteWriter)
}
