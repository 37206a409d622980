// SPDX-License-Identifier: Apache-2.0

/// The parameters of a request for a stream, by their names.
package enum StreamParameter: String, CaseIterable, Sendable {
    /// The id that the client holds, where it can't send the header.
    case lastEventID = "last_event_id"

    /// Where to start without an id.
    case since

    /// How many events are to come.
    case limit

    /// Where the stream ends.
    case until

    /// Where it goes on when continuity breaks.
    case onReset = "on_reset"

    /// Finds a parameter by its name, or by the one that some libraries use.
    init?(name: String) {
        self.init(rawValue: name == "lastEventId" ? Self.lastEventID.rawValue : name)
    }

    /// All names, for people.
    static var list: String {
        let names = allCases.map(\.rawValue)
        return "\(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")"
    }
}
