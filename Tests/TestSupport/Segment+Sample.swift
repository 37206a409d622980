// SPDX-License-Identifier: Apache-2.0

import EventStream
package import RowtailCore

extension Segment {
    /// A segment whose events are their own ids, `5@1;`, for tests that look at no wire format.
    ///
    /// It covers what comes up to `through`, or to the last event when that isn't given.
    package convenience init(after: Position, ids: [Int64], through: Int64? = nil, generation: Int = 0) {
        var writer = ByteWriter()
        var events: [Event] = []
        for id in ids {
            let position = Position.integer(id)
            writer.write(text: "\(EventID(position, generation: generation));")
            events.append(Event(position: position, end: writer.count))
        }
        self.init(
            generation: generation,
            after: after,
            through: (through ?? ids.last).map(Position.integer) ?? after,
            copying: writer.bytes,
            events: events
        )
    }

    /// A segment that goes on after a position.
    package convenience init(after: Int64, ids: [Int64], through: Int64? = nil, generation: Int = 0) {
        self.init(after: .integer(after), ids: ids, through: through, generation: generation)
    }

    /// The bytes of some of the events as text.
    package func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// The events as a client would read them, chunk framing taken off.
    package func frames(_ events: Range<Int>? = nil) -> [StreamClient.Frame] {
        let events = events ?? 0..<self.events.count
        let range = offset(ofEvent: events.lowerBound)..<offset(ofEvent: events.upperBound)
        let plain = ChunkFraming.unframed(UnsafeRawBufferPointer(rebasing: bytes[range]))
        return StreamClient.Frame.all(in: String(decoding: plain, as: UTF8.self))
    }
}

extension StreamClient.Frame {
    /// The event's name, where it has one, and its id.
    package var words: String {
        [event, id].compactMap(\.self).joined(separator: " ")
    }

    /// The frames in a stream's text, which ends with a whole frame.
    package static func all(in text: String) -> [StreamClient.Frame] {
        var frames: [StreamClient.Frame] = []
        var frame = StreamClient.Frame()
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            guard !line.isEmpty else {
                frames.append(frame)
                frame = StreamClient.Frame()
                continue
            }
            frame.read(line[...])
        }
        return frames
    }
}
