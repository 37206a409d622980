// SPDX-License-Identifier: Apache-2.0

import Glibc
import RowtailCore

/// What one system call is given: the bytes of some slices, in order.
///
/// It is made once and sent to every subscriber that stands at the same place. The slices hold the segments, and with
/// them the bytes, as long as they are in here.
struct SendBatch {
    /// How many pieces one call takes; IOV_MAX is 1024, and more of them gain nothing.
    private static let pieceLimit = 64
    /// How many bytes one call is given at most, but for a slice that alone has more.
    private static let byteLimit = 256 << 10

    private(set) var slices: [SubscriberState.Slice] = []
    private(set) var pieces: [iovec] = []
    private(set) var byteCount = 0
    private(set) var eventCount = 0

    init() {
        slices.reserveCapacity(Self.pieceLimit)
        pieces.reserveCapacity(Self.pieceLimit)
    }

    var isEmpty: Bool { slices.isEmpty }

    /// Collects what comes next for a stream, and moves a copy of its state past it.
    ///
    /// - Parameters:
    ///   - sent: Where the stream stands; rows that were passed over before the first event are recorded in it.
    ///   - view: What the event loop knows of the feed.
    /// - Returns: Where the stream will stand when all of this was sent, and what to do after that.
    mutating func fill(
        for sent: inout SubscriberState,
        in view: borrowing FeedView
    ) -> (
        ahead: SubscriberState, step: SubscriberState.Step
    ) {
        removeAll()
        var ahead = sent
        var step = ahead.next(in: view)
        // Takes over a generation in which the stream goes on exactly, before anything of it is recorded.
        sent = ahead
        while case .send(let slice) = step, pieces.count < Self.pieceLimit, byteCount < Self.byteLimit {
            if slice.events.isEmpty, isEmpty {
                sent.sent(slice, events: 0)
            } else {
                append(slice)
            }
            ahead.sent(slice, events: slice.events.count)
            step = ahead.next(in: view)
        }
        return (ahead, step)
    }

    private mutating func append(_ slice: SubscriberState.Slice) {
        let bytes = UnsafeRawBufferPointer(rebasing: slice.segment.bytes[slice.bytes])
        slices.append(slice)
        pieces.append(iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count))
        byteCount += bytes.count
        eventCount += slice.events.count
    }

    /// Lets the segments go.
    mutating func removeAll() {
        slices.removeAll(keepingCapacity: true)
        pieces.removeAll(keepingCapacity: true)
        byteCount = 0
        eventCount = 0
    }
}
