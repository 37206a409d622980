// SPDX-License-Identifier: Apache-2.0

/// One request and what came of it, as it was seen from here.
package struct Exchange: Sendable {
    /// An answer's head.
    package struct Head: Sendable {
        /// `HTTP/1.1`, `HTTP/2` and their like.
        package var version: String

        /// The status code.
        package var status: Int

        /// The fields, names in lower case.
        package var fields: [(name: String, value: String)]

        /// A head.
        package init(version: String = "HTTP/1.1", status: Int = 200, fields: [(name: String, value: String)]) {
            self.version = version
            self.status = status
            self.fields = fields
        }

        /// A field's value; of several with the name, all of them with commas between (RFC 9110, section 5.3).
        package subscript(_ name: String) -> String? {
            let values = fields.filter { $0.name == name }.map(\.value)
            return values.isEmpty ? nil : values.joined(separator: ", ")
        }

        /// The compression of the body; `nil` for none.
        package var encoding: String? {
            self["content-encoding"].flatMap { $0.lowercased() == "identity" || $0.isEmpty ? nil : $0.lowercased() }
        }

        /// Whether it begins a stream of events.
        package var isStream: Bool {
            status == 200 && self["content-type"]?.lowercased().hasPrefix("text/event-stream") == true
        }
    }

    /// Bytes of the body that came together.
    package struct Read: Sendable {
        /// When, since the request began.
        package var at: Duration

        /// How many.
        package var bytes: Int

        /// A read.
        package init(at: Duration, bytes: Int) {
            self.at = at
            self.bytes = bytes
        }
    }

    /// Why nothing more came.
    package enum End: Sendable, Equatable {
        /// The body ended as its framing says.
        case complete
        /// The connection or stream ended in the middle of the body, or before the head.
        case cut
        /// The probe had seen enough, or its time was over.
        case left
    }

    /// Most frames that are kept; an exchange with more is left.
    static let mostFrames = 20_000

    /// Most of a body that is no stream of events that is kept, in bytes.
    static let keptOfBody = 2048

    /// When the connection was there, TLS included; `nil` before.
    package var connectedAt: Duration?

    /// The head, and when it came.
    package var head: Head?

    /// When the head came.
    package var headAt: Duration?

    /// The reads that brought some of the body.
    package var reads: [Read] = []

    /// The frames that came whole.
    package var frames: [ReceivedFrame] = []

    /// The beginning of a body that is no stream of events.
    package var body = ""

    /// Why nothing more came.
    package var end = End.left

    /// When it was over.
    package var endedAt = Duration.zero

    /// What the connection said of its failure, where it did.
    package var failure: String?

    /// An exchange of which nothing is known.
    package init() {}

    /// How many bytes of the body came.
    package var bodyBytes: Int { reads.reduce(0) { $0 + $1.bytes } }

    /// When something came last.
    package var lastByteAt: Duration { reads.last?.at ?? headAt ?? connectedAt ?? .zero }

    /// The frames that are events of rows.
    package var events: [ReceivedFrame] { frames.filter(\.isEvent) }
}
