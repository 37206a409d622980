// SPDX-License-Identifier: Apache-2.0

import EventStream
import NIOCore
import RowtailCore

/// The piece of a segment that went through a channel last, kept for the next subscriber that stands at the same place.
///
/// TLS and HTTP/2 work on the bytes of each connection, so they can't be sent straight from the segment. What they are given
/// is made once for all subscribers that stand together, and each has one piece under way at a time: that is what a client
/// that doesn't read holds.
struct SharedPiece {
    /// How many bytes a piece has at most, but for a single event that has more; as many as a TLS record or a frame of
    /// HTTP/2 takes.
    static let byteLimit = 16 << 10

    private let isChunked: Bool
    private var segment: Segment?
    private var events = 0..<0
    private var count = 0
    private var buffer = ByteBuffer()

    init(isChunked: Bool) {
        self.isChunked = isChunked
    }

    /// The first events of a slice, and how many they are; at least one.
    mutating func take(from slice: SubscriberState.Slice) -> (events: Int, buffer: ByteBuffer) {
        if slice.segment !== segment || slice.events != events { make(slice) }
        return (count, buffer)
    }

    private mutating func make(_ slice: SubscriberState.Slice) {
        segment = slice.segment
        events = slice.events
        let start = slice.bytes.lowerBound
        let all = slice.segment.events[slice.events]
        let last = all.lastIndex { $0.end - start <= Self.byteLimit } ?? all.startIndex
        count = last + 1 - all.startIndex
        let bytes = UnsafeRawBufferPointer(rebasing: slice.segment.bytes[start..<all[last].end])
        buffer = isChunked ? ByteBuffer(bytes: bytes) : ByteBuffer(bytes: ChunkFraming.unframed(bytes))
    }

    /// Lets the segment go.
    mutating func forget() {
        self = SharedPiece(isChunked: isChunked)
    }
}
