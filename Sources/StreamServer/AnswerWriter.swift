// SPDX-License-Identifier: Apache-2.0

import HTTPTypes

/// Where the answer to one request goes, in the version of HTTP that the request came in.
protocol AnswerWriter: AnyObject {
    /// Whether the client is still there and hasn't got an answer.
    var awaitsAnswer: Bool { get }

    /// Sends a whole answer.
    func send(_ answer: ShortAnswer)

    /// Sends the head of a stream and no more, as HEAD asks for.
    func sendHead(_ fields: HTTPFields)

    /// Sends the head of a stream.
    ///
    /// - Returns: The stream, whose first frame may follow.
    func begin(_ ticket: StreamTicket, _ fields: HTTPFields) -> ActiveStream
}
