// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// The frames that are no rows: what a client gets at the start, in quiet times, at breaks and at the end.
///
/// Source of the syntax: WHATWG HTML, section 9.2.5.
package enum ControlFrame {
    /// The first frame of a stream: how long to wait before reconnecting, who speaks, and a checkpoint.
    ///
    /// With it, a client that saw no event yet resumes exactly. `retry` is in milliseconds; `start` is the position that
    /// the stream starts from, `nil` when it isn't known yet.
    package static func first(feed: String, retry: Int, start: EventID?) -> String {
        "retry: \(retry)\n: rowtail feed \(feed)\n\(start.map { "id: \($0)\n" } ?? "")\n"
    }

    /// The first frame of a stream that can't go on where the client wanted.
    ///
    /// The position comes with the event that explains it: a client that is cut off before it was told of the break
    /// still holds its old id, and is told again.
    package static func first(feed: String, retry: Int, reset: Reset) -> String {
        "retry: \(retry)\n: rowtail feed \(feed)\n\(self.reset(feed: feed, reset))"
    }

    /// The first frame of a stream of several feeds; the frame of a checkpoint or reset has to follow it.
    package static func first(feeds: [String], retry: Int) -> String {
        "retry: \(retry)\n: rowtail feeds \(feeds.joined(separator: ","))\n"
    }

    /// A frame with only an id: moves the client's cursor, fires no event.
    package static func checkpoint(_ id: EventID) -> String {
        "id: \(id)\n\n"
    }

    /// A comment on an idle stream, so that neither side or anything between them takes it for dead.
    package static let heartbeat = ": heartbeat\n\n"

    /// Tells that continuity broke.
    ///
    /// The id is that of where the stream goes on, unless the reset has a place of its own in the order.
    package static func reset(feed: String, _ reset: Reset, id: EventID? = nil) -> String {
        """
        event: rowtail.reset
        id: \(id ?? reset.resumedFrom)
        data: {"feed":"\(feed)","reason":"\(reset.reason.rawValue)","requested":"\(reset.requested)",\
        "resumed_from":"\(reset.resumedFrom)"}


        """
    }

    /// Stands in for a row whose event would be larger than allowed.
    package static func oversize(feed: String, bytes: Int, id: EventID) -> String {
        "event: rowtail.oversize\nid: \(id)\ndata: {\"feed\":\"\(feed)\",\"bytes\":\(bytes)}\n\n"
    }

    /// The last frame of a stream that ends in order.
    ///
    /// The id is the text of where the stream ended, rows passed over included; `nil` when it never knew.
    package static func end(_ reason: EndReason, id: String?) -> String {
        "event: rowtail.end\n\(id.map { "id: \($0)\n" } ?? "")data: {\"reason\":\"\(reason.rawValue)\"}\n\n"
    }
}
