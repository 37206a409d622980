// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// Writes rows as Server-Sent Events inside HTTP/1.1 chunks, one chunk an event.
///
/// With a chunk around each event, any run of whole events in a segment is a valid piece of a chunked body, so that all
/// subscribers share the same bytes wherever they resume.
///
/// Sources: WHATWG HTML, section 9.2 (server-sent events); RFC 9112, section 7.1 (chunked transfer coding).
package struct FrameEncoder: EventFraming {
    private let feed: String
    private let afterID: [UInt8]

    /// An encoder for one feed.
    ///
    /// - Parameters:
    ///   - feed: The feed's name, for control events.
    ///   - event: The event's name; `nil` leaves `event:` out, so that `onmessage` gets the rows. It has no CR, LF or NUL.
    package init(feed: String, event: String? = nil) {
        self.feed = feed
        afterID = Array((event.map { "\nevent: \($0)" } ?? "").utf8) + Array("\ndata: ".utf8)
    }

    /// Writes a chunk's size line, to be completed, and the event's fields up to its data.
    package func open(_ id: EventID, in writer: inout ByteWriter) -> Int {
        let start = ChunkFraming.open(in: &writer)
        writer.write("id: ")
        if case .integer(let value) = id.position, id.generation == 0 {
            writer.write(decimal: value)
        } else {
            writer.write(text: id.description)
        }
        writer.write(afterID)
        return start
    }

    /// Ends the event and its chunk.
    package func close(_ writer: inout ByteWriter, from start: Int) {
        writer.write("\n\n")
        ChunkFraming.close(&writer, from: start)
    }

    /// Writes `rowtail.reset`.
    package func reset(_ reset: Reset, at id: EventID, in writer: inout ByteWriter) {
        let start = ChunkFraming.open(in: &writer)
        writer.write(text: ControlFrame.reset(feed: feed, reset, id: id))
        ChunkFraming.close(&writer, from: start)
    }

    /// Writes `rowtail.oversize`.
    package func oversize(_ id: EventID, bytes: Int, in writer: inout ByteWriter) {
        let start = ChunkFraming.open(in: &writer)
        writer.write(text: ControlFrame.oversize(feed: feed, bytes: bytes, id: id))
        ChunkFraming.close(&writer, from: start)
    }
}
