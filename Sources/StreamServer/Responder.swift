// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes
import NIOCore
import RowtailCore

/// Finds the answer to a request, whatever version of HTTP it came in.
///
/// A request is judged from its head alone.
struct Responder {
    let fanOut: FanOut
    /// The client's address; `nil` on a unix socket.
    let address: String?
    let writer: any AnswerWriter

    /// Answers a request, now or when the answer is known.
    func respond(to request: HTTPRequest) {
        let bound = NIOLoopBound(self, eventLoop: fanOut.eventLoop)
        switch fanOut.router.route(request) {
        case .answer(let answer):
            send(answer, to: request)
        case .later(let future):
            future.hop(to: fanOut.eventLoop).whenComplete { result in
                let answer = (try? result.get()) ?? RequestError(.unavailable, "no answer could be made").answer
                bound.value.send(answer, to: request)
            }
        case .noStream(let error):
            refuse(error, request)
        case .stream(let requests, let token):
            var grouped: [(request: StreamRequest, group: FeedGroup)] = []
            for asked in requests {
                guard let group = fanOut.groups[asked.feed.name] else {
                    send(RequestError(.unknownFeed, "there is no feed '\(asked.feed.name)'").answer, to: request)
                    return
                }
                grouped.append((asked, group))
            }
            let opening = StreamOpening(requests: grouped, fanOut: fanOut, address: address, token: token)
            opening.open().whenComplete { result in
                bound.value.conclude(result, request)
            }
        }
    }

    private func conclude(_ result: Result<StreamOpening.Outcome, any Error>, _ request: HTTPRequest) {
        switch result {
        case .success(.answer(let answer)):
            send(answer, to: request)
        case .success(.stream(let ticket)):
            begin(ticket, request)
        case .failure(let error):
            refuse(error as? RequestError ?? RequestError(.unavailable, "\(error); try again"), request)
        }
    }

    /// Answers a request for a stream of feeds that there are, and that it doesn't get.
    private func refuse(_ error: RequestError, _ request: HTTPRequest) {
        if error.concernsWhatIsAsked { fanOut.metrics.streams[.refused, default: 0] += 1 }
        send(error.answer, to: request)
    }

    private func send(_ answer: ShortAnswer, to request: HTTPRequest) {
        var answer = answer
        answer.fields.append(
            contentsOf: fanOut.options.cors.fields(for: request, isPreflight: request.method == .options)
        )
        writer.send(answer)
    }

    private func begin(_ ticket: StreamTicket, _ request: HTTPRequest) {
        guard writer.awaitsAnswer else {
            ticket.release()
            return
        }
        let fields = streamFields(request)
        if request.method == .head {
            ticket.release()
            writer.sendHead(fields)
            return
        }
        fanOut.metrics.streams[.opened, default: 0] += 1
        writer.begin(ticket, fields).start(with: ticket.firstFrame)
    }

    /// The fields of every stream; proxies that would hold events back or keep them are told not to.
    private func streamFields(_ request: HTTPRequest) -> HTTPFields {
        var fields: HTTPFields = [
            .contentType: "text/event-stream",
            .cacheControl: "no-cache, no-transform",
            .accelBuffering: "no",
        ]
        fields.append(contentsOf: fanOut.options.cors.fields(for: request))
        return fields
    }
}

extension HTTPField.Name {
    /// Tells nginx not to collect an answer before it passes it on.
    static let accelBuffering = name("x-accel-buffering")
    /// The id that a client holds (WHATWG HTML, section 9.2.4).
    static let lastEventID = name("last-event-id")
    /// What of a page's address its requests tell (W3C Referrer Policy, section 4).
    static let referrerPolicy = name("referrer-policy")

    // Names that are written above are tokens.
    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("'\(text)' is no field name") }
        return name
    }
}
