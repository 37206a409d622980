// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes

/// A complete answer that fits one buffer: everything but a stream.
struct ShortAnswer: Sendable {
    var status: HTTPResponse.Status
    var fields: HTTPFields = [:]
    var body = ""

    /// An answer without a body.
    static func empty(_ status: HTTPResponse.Status, _ fields: HTTPFields = [:]) -> ShortAnswer {
        ShortAnswer(status: status, fields: fields)
    }

    /// An answer in JSON.
    static func json(_ status: HTTPResponse.Status, _ body: String) -> ShortAnswer {
        ShortAnswer(
            status: status,
            fields: [.contentType: "application/json", .cacheControl: "no-cache"],
            body: "\(body)\n"
        )
    }
}

/// Why a request is refused, as clients are told.
struct RequestError: Error {
    /// The codes of the contract.
    enum Code: String, CaseIterable {
        case badRequest = "bad_request"
        case badEventID = "bad_event_id"
        case unknownParameter = "unknown_parameter"
        case unauthorized
        case forbidden
        case unknownFeed = "unknown_feed"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case gone
        case headTooLarge = "head_too_large"
        case tooManyStreams = "too_many_streams"
        case unavailable

        var status: HTTPResponse.Status {
            switch self {
            case .badRequest, .badEventID, .unknownParameter: .badRequest
            case .unauthorized: .unauthorized
            case .forbidden: .forbidden
            case .unknownFeed, .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .gone: .gone
            case .headTooLarge: .requestHeaderFieldsTooLarge
            case .tooManyStreams, .unavailable: .serviceUnavailable
            }
        }
    }

    var code: Code
    var message: String
    var status: HTTPResponse.Status
    var fields: HTTPFields

    /// Whether a stream isn't granted for what is asked of its feeds.
    ///
    /// The others are about the path, the want of a token, or the moment.
    var concernsWhatIsAsked: Bool {
        switch code {
        case .badRequest, .badEventID, .unknownParameter, .forbidden, .gone: true
        case .unauthorized, .unknownFeed, .notFound, .methodNotAllowed, .headTooLarge, .tooManyStreams, .unavailable:
            false
        }
    }

    init(_ code: Code, _ message: String, status: HTTPResponse.Status? = nil, fields: HTTPFields = [:]) {
        self.code = code
        self.message = message
        self.status = status ?? code.status
        self.fields = fields
    }

    init(_ error: StreamQueryError) {
        switch error.code {
        case .badRequest: self.init(.badRequest, error.message)
        case .badEventID: self.init(.badEventID, error.message)
        case .unknownParameter: self.init(.unknownParameter, error.message)
        }
    }

    /// The answer: one JSON object.
    var answer: ShortAnswer {
        let message = JSONString.quoted(message)
        var answer = ShortAnswer.json(status, "{\"error\":{\"code\":\"\(code.rawValue)\",\"message\":\(message)}}")
        answer.fields.append(contentsOf: fields)
        return answer
    }
}
