// SPDX-License-Identifier: Apache-2.0

import EventStream
import RowtailCore
import Testing

@Suite struct StreamQueryTests {
    struct Valid: Sendable, CustomTestStringConvertible {
        var query: String
        var header: String?
        /// Turns the query that asks for nothing into the expected one.
        var change: @Sendable (inout StreamQuery) -> Void

        init(
            _ query: String,
            header: String? = nil,
            _ change: @escaping @Sendable (inout StreamQuery) -> Void = { _ in }
        ) {
            self.query = query
            self.header = header
            self.change = change
        }

        var testDescription: String { "?\(query) \(header ?? "")" }
    }

    private static func id(_ position: Int64, _ generation: Int = 0) -> EventID {
        EventID(.integer(position), generation: generation)
    }

    @Test(arguments: [
        Valid(""),
        Valid("&&"),
        // The client's id.
        Valid("", header: "1042") { $0.lastEventID = id(1042) },
        Valid("", header: "") { _ in },
        Valid("", header: "earliest@1") { $0.lastEventID = EventID(.earliest, generation: 1) },
        Valid("last_event_id=1042@2") { $0.lastEventID = id(1042, 2) },
        Valid("lastEventId=1042%402") { $0.lastEventID = id(1042, 2) },
        Valid("last_event_id=-5") { $0.lastEventID = id(-5) },
        Valid("last_event_id="),
        Valid("last_event_id"),
        Valid("last_event_id=1", header: "2") { $0.lastEventID = id(2) },
        Valid("last_event_id=1", header: "") { $0.lastEventID = id(1) },
        // Where to start.
        Valid("since=earliest") { $0.since = .earliest },
        Valid("since=latest") { $0.since = .latest },
        Valid("since=-5") { $0.since = .newest(5) },
        Valid("since=5") { $0.since = .after(id(5)) },
        Valid("since=0") { $0.since = .after(id(0)) },
        Valid("since=5@1") { $0.since = .after(id(5, 1)) },
        Valid("since=earliest@1") { $0.since = .after(EventID(.earliest, generation: 1)) },
        Valid("since=%65arliest") { $0.since = .earliest },
        Valid("since=latest", header: "7") {
            $0.since = .latest
            $0.lastEventID = id(7)
        },
        // The rest.
        Valid("limit=1") { $0.limit = 1 },
        Valid("limit=9223372036854775807") { $0.limit = .max },
        Valid("until=head") { $0.untilHead = true },
        Valid("on_reset=earliest") { $0.onReset = .earliest },
        Valid("on_reset=latest") { $0.onReset = .latest },
        Valid("on_reset=fail") { $0.onReset = .fail },
        Valid("&since=earliest&&limit=10&until=head&on_reset=fail&") {
            $0.since = .earliest
            $0.limit = 10
            $0.untilHead = true
            $0.onReset = .fail
        },
    ])
    func `a query is read`(valid: Valid) throws {
        var expected = try StreamQuery(query: "", lastEventID: nil)
        valid.change(&expected)
        #expect(try StreamQuery(query: valid.query, lastEventID: valid.header) == expected)
    }

    struct Invalid: Sendable, CustomTestStringConvertible {
        var query: String
        var header: String?
        var code: StreamQueryError.Code
        var message: String

        init(_ query: String, header: String? = nil, _ code: StreamQueryError.Code, _ message: String) {
            self.query = query
            self.header = header
            self.code = code
            self.message = message
        }

        var testDescription: String { "?\(query) \(header ?? "")" }
    }

    private static let noID = "is no event id of this feed; send an id that it gave out, or none"
    private static let noStart =
        "is unknown; use earliest, latest, -N for the newest N rows, an event id, or in mode updated a time"

    @Test(arguments: [
        Invalid("since=", .badEventID, "since: '' \(noStart)"),
        Invalid("since=yesterday", .badEventID, "since: 'yesterday' \(noStart)"),
        Invalid("since=--5", .badEventID, "since: '--5' \(noStart)"),
        Invalid("since=+5", .badEventID, "since: ' 5' \(noStart)"),
        Invalid("since=-99999999999999999999", .badEventID, "since: '-99999999999999999999' \(noStart)"),
        Invalid("last_event_id=abc", .badEventID, "last_event_id: 'abc' \(noID)"),
        Invalid("lastEventId=5@", .badEventID, "lastEventId: '5@' \(noID)"),
        Invalid("", header: "5 ", .badEventID, "Last-Event-ID: '5 ' \(noID)"),
        Invalid("", header: "orders:5", .badEventID, "Last-Event-ID: 'orders:5' \(noID)"),
        // A bad id in the query is refused although the header counts.
        Invalid("last_event_id=x", header: "5", .badEventID, "last_event_id: 'x' \(noID)"),
        Invalid("limit=0", .badRequest, "limit: '0' is no number of events; use 1 or more"),
        Invalid("limit=-1", .badRequest, "limit: '-1' is no number of events; use 1 or more"),
        Invalid("limit=", .badRequest, "limit: '' is no number of events; use 1 or more"),
        Invalid("limit=1.5", .badRequest, "limit: '1.5' is no number of events; use 1 or more"),
        Invalid("until=tail", .badRequest, "until: 'tail' is unknown; use 'head'"),
        Invalid("until", .badRequest, "until: '' is unknown; use 'head'"),
        Invalid("on_reset=retry", .badRequest, "on_reset: 'retry' is unknown; use earliest, latest or fail"),
        Invalid("limit=1&limit=1", .badRequest, "'limit' is given twice; give it once"),
        Invalid("last_event_id=1&lastEventId=2", .badRequest, "'lastEventId' is given twice; give it once"),
        Invalid(
            "Since=5",
            .unknownParameter,
            "there is no parameter 'Since'; use last_event_id, since, limit, until or on_reset"
        ),
        Invalid(
            "=5",
            .unknownParameter,
            "there is no parameter ''; use last_event_id, since, limit, until or on_reset"
        ),
        Invalid(
            "since=%",
            .badRequest,
            "'%' has a '%' without two hexadecimal digits; write '%25' for a percent sign"
        ),
        Invalid(
            "since=%4",
            .badRequest,
            "'%4' has a '%' without two hexadecimal digits; write '%25' for a percent sign"
        ),
        Invalid(
            "since=%+1",
            .badRequest,
            "'%+1' has a '%' without two hexadecimal digits; write '%25' for a percent sign"
        ),
        Invalid(
            "since=%-0",
            .badRequest,
            "'%-0' has a '%' without two hexadecimal digits; write '%25' for a percent sign"
        ),
        Invalid(
            "since=%zz",
            .badRequest,
            "'%zz' has a '%' without two hexadecimal digits; write '%25' for a percent sign"
        ),
        Invalid("since=%ff", .badRequest, "'%ff' is no UTF-8; percent-encode it"),
    ])
    func `what makes no sense is refused`(invalid: Invalid) {
        let error = #expect(throws: StreamQueryError.self) {
            try StreamQuery(query: invalid.query, lastEventID: invalid.header)
        }
        #expect(error?.code == invalid.code)
        #expect(error?.message == invalid.message)
    }

    @Test func `an id may be as long as the limit and no longer`() throws {
        let digits = String(repeating: "0", count: StreamQuery.idLimit - 1) + "7"
        #expect(try StreamQuery(query: "", lastEventID: digits).lastEventID == Self.id(7))
        #expect(throws: StreamQueryError.self) { try StreamQuery(query: "", lastEventID: "0" + digits) }
        #expect(throws: StreamQueryError.self) { try StreamQuery(query: "since=0\(digits)", lastEventID: nil) }
    }

    @Test func `an error quotes no more than the beginning of a long value`() {
        let error = #expect(throws: StreamQueryError.self) {
            try StreamQuery(query: "", lastEventID: String(repeating: "x", count: 500))
        }
        #expect((error?.message.count ?? .max) < 200)
    }

    @Test func `codes have the names of the contract`() {
        let codes: [StreamQueryError.Code] = [.badRequest, .badEventID, .unknownParameter]
        #expect(codes.map(\.rawValue) == ["bad_request", "bad_event_id", "unknown_parameter"])
    }
}
