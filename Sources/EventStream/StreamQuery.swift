// SPDX-License-Identifier: Apache-2.0

package import RowtailCore

/// Why a stream request is refused before anything is looked up.
package struct StreamQueryError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, as the answer's error code.
    package enum Code: String, Sendable {
        /// A value that makes no sense.
        case badRequest = "bad_request"

        /// An id that is no event id.
        case badEventID = "bad_event_id"

        /// A parameter that doesn't exist.
        case unknownParameter = "unknown_parameter"
    }

    /// What is wrong.
    package var code: Code

    /// The same for people, with the remedy.
    package var message: String

    /// The message.
    package var description: String { message }
}

/// What a client asks of a stream: where it starts, where it ends, and what happens at a break.
package struct StreamQuery: Hashable, Sendable {
    /// The id that the client holds, from the `Last-Event-ID` header or the query; header first.
    package var lastEventID: EventID?

    /// Where to start when the client holds no id.
    package var since: StartPoint?

    /// How many events the stream is to have at most; at least 1.
    package var limit: Int?

    /// Whether the stream ends at the head of the moment of the request.
    package var untilHead = false

    /// What happens when continuity breaks.
    package var onReset: ResetPolicy?

    /// The greatest length of an event id in bytes; on a stream of several feeds, of each part.
    package static let idLimit = 1024

    /// Reads a request's query and `Last-Event-ID` header.
    ///
    /// Percent-escapes are decoded and `+` means a space (WHATWG URL, application/x-www-form-urlencoded). A parameter
    /// given twice is refused, as one of the two would be ignored; an empty id means that none was given.
    ///
    /// - Parameters:
    ///   - query: What follows `?` in the request's target.
    ///   - header: The value of `Last-Event-ID`.
    ///   - scope: Which feed this is for, when the request is for several.
    /// - Throws: ``StreamQueryError``.
    package init(
        query: some StringProtocol,
        lastEventID header: String?,
        scope: CombinedID.Scope? = nil
    ) throws {
        var seen: Set<StreamParameter> = []
        var queryID: EventID?
        for (name, value) in try Self.pairs(query) {
            guard let parameter = StreamParameter(name: name) else {
                throw StreamQueryError(
                    code: .unknownParameter,
                    message: "there is no parameter \(Self.quoted(name)); use \(StreamParameter.list)"
                )
            }
            guard seen.insert(parameter).inserted else {
                throw StreamQueryError(code: .badRequest, message: "\(Self.quoted(name)) is given twice; give it once")
            }
            switch parameter {
            case .lastEventID:
                queryID = try Self.eventID(value, from: name, scope)
            case .since:
                since = try Self.start(value, scope)
            case .limit:
                guard let count = Int(value), count > 0 else {
                    throw StreamQueryError(
                        code: .badRequest,
                        message: "limit: \(Self.quoted(value)) is no number of events; use 1 or more"
                    )
                }
                limit = count
            case .until:
                guard value == "head" else {
                    throw StreamQueryError(
                        code: .badRequest,
                        message: "until: \(Self.quoted(value)) is unknown; use 'head'"
                    )
                }
                untilHead = true
            case .onReset:
                guard let policy = ResetPolicy(rawValue: value) else {
                    throw StreamQueryError(
                        code: .badRequest,
                        message: "on_reset: \(Self.quoted(value)) is unknown; use earliest, latest or fail"
                    )
                }
                onReset = policy
            }
        }
        lastEventID = try header.flatMap { try Self.eventID($0, from: "Last-Event-ID", scope) }
        // A header that leaves this feed's part empty is still the one that counts.
        if header?.isEmpty ?? true { lastEventID = queryID }
    }

    private static func eventID(_ text: String, from name: String, _ scope: CombinedID.Scope?) throws -> EventID? {
        guard !text.isEmpty else { return nil }
        guard let part = scope.map({ $0.part(of: text) }) ?? text else {
            throw StreamQueryError(
                code: .badEventID,
                message:
                    "\(name): \(quoted(text)) is no event id of this stream; send one that it gave out, such as "
                    + (scope.map { CombinedID.text($0.feeds.map { (feed: $0, id: "1") }) } ?? "1")
            )
        }
        guard !part.isEmpty else { return nil }
        guard part.utf8.count <= idLimit, let id = EventID(part) else {
            throw StreamQueryError(
                code: .badEventID,
                message:
                    "\(name): \(quoted(part)) is no event id of this feed; send an id that it gave out, or none"
            )
        }
        return id
    }

    private static func start(_ text: String, _ scope: CombinedID.Scope?) throws -> StartPoint? {
        switch text {
        case "earliest": return .earliest
        case "latest": return .latest
        default: break
        }
        if text.utf8.first == UInt8(ascii: "-"), let number = Int(text), number != .min {
            guard number < 0 else {
                throw StreamQueryError(
                    code: .badRequest,
                    message: "since: \(quoted(text)) is no number of newest rows; use -1 or less, or latest"
                )
            }
            return .newest(-number)
        }
        // A plus that was not percent-encoded is a space by now.
        if let time = UnixTime(rfc3339: text.replacing(" ", with: "+")) ?? UnixTime(rfc3339: text) {
            return .time(time)
        }
        let part = scope.map { $0.part(of: text) } ?? text
        if let part, part.isEmpty, scope != nil { return nil }
        guard let part, part.utf8.count <= idLimit, let id = EventID(part) else {
            throw StreamQueryError(
                code: .badEventID,
                message:
                    "since: \(quoted(text)) is unknown; use earliest, latest, -N for the newest N rows, an event id, or in mode "
                    + "updated a time"
            )
        }
        return .after(id)
    }

    /// What a client sent, in quotes and cut: an answer shouldn't grow with the request.
    private static func quoted(_ text: some StringProtocol) -> String {
        "'\(String(String.UnicodeScalarView(text.unicodeScalars.prefix(64))))'"
    }

    private static func pairs(_ query: some StringProtocol) throws -> [(String, String)] {
        try query.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (try decoded(parts[0]), parts.count == 2 ? try decoded(parts[1]) : "")
        }
    }

    /// Decodes a name or a value of a query: percent-escapes, and `+` as a space.
    ///
    /// - Throws: ``StreamQueryError`` for an escape without two hexadecimal digits, and for what is no UTF-8.
    package static func decoded(_ text: some StringProtocol) throws -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"):
                bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                // `UInt8.init` takes a sign.
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                    rest.first != UInt8(ascii: "+"), rest.first != UInt8(ascii: "-")
                else {
                    throw StreamQueryError(
                        code: .badRequest,
                        message:
                            "\(quoted(text)) has a '%' without two hexadecimal digits; write '%25' for a percent sign"
                    )
                }
                rest = rest.dropFirst(2)
                bytes.append(value)
            default:
                bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw StreamQueryError(code: .badRequest, message: "\(quoted(text)) is no UTF-8; percent-encode it")
        }
        return decoded
    }
}
