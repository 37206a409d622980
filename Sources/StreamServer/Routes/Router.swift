// SPDX-License-Identifier: Apache-2.0

import EventStream
import HTTPTypes
import NIOCore
import RowtailCore

/// Finds what answers a request, from its method, path and fields alone.
final class Router: Sendable {
    /// What answers a request.
    enum Target {
        /// This.
        case answer(ShortAnswer)
        /// This, when it is ready.
        case later(EventLoopFuture<ShortAnswer>)
        /// A stream of a feed or of several, for the holder of a token where one is needed.
        case stream([StreamRequest], AccessToken?)
        /// No stream, though the feeds are there.
        case noStream(RequestError)
    }

    /// The methods of every path.
    static let allowedMethods = "GET, HEAD, OPTIONS"
    /// What the paths of streams begin with.
    private static let streams = "/feeds/"

    let options: ServerOptions
    let limits: StreamLimits
    let feeds: [Feed]
    private let health: HealthRoutes
    private let metrics: MetricsRoute
    private let status: StatusRoute

    init(
        options: ServerOptions,
        feeds: [Feed],
        limits: StreamLimits,
        health: HealthRoutes,
        metrics: MetricsRoute,
        status: StatusRoute
    ) {
        self.options = options
        self.feeds = feeds
        self.limits = limits
        self.health = health
        self.metrics = metrics
        self.status = status
    }

    /// Finds what answers a request.
    func route(_ request: HTTPRequest) -> Target {
        let target = request.path ?? "/"
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first ?? ""
        var query = parts.count > 1 ? parts[1] : ""
        if request.method == .options, target == "*" || isKnown(path) {
            return .answer(.empty(.noContent, [.allow: Self.allowedMethods]))
        }
        var token: AccessToken?
        // First of all, so that strangers learn nothing. Browsers send no token with a preflight.
        if request.method != .options, Authenticator.guards(path) {
            do {
                token = try Authenticator(access: options.access).authenticate(request, query: &query)
            } catch {
                if path == "/", let page = pageOfRefusal(error, request) { return .answer(page) }
                return refuse(error, request, path)
            }
        }
        guard isKnown(path) else {
            return refuse(.notFound, "there is nothing at '\(path.prefix(200))'; try /feeds")
        }
        guard request.method == .get || request.method == .head else {
            return refuse(
                .methodNotAllowed,
                "\(request.method) is not possible here; use \(Self.allowedMethods)",
                [.allow: Self.allowedMethods]
            )
        }
        switch path {
        case "/healthz": return .answer(health.alive)
        case "/readyz": return .answer(health.ready(feeds, pollInterval: options.pollInterval))
        case "/metrics": return .later(metrics.answer(feeds))
        case "/feeds": return .answer(FeedsRoute.answer(visible(to: token)))
        case "/status": return .later(status.answer(visible(to: token), access: options.access))
        case "/": return .answer(StatusPage.answer())
        default: return stream(path, query: query, request, token)
        }
    }

    private func isKnown(_ path: Substring) -> Bool {
        switch path {
        case "/healthz", "/readyz", "/metrics", "/feeds": true
        case "/", "/status": options.statusPage
        default: path.hasPrefix(Self.streams) && path.count > Self.streams.count
        }
    }

    private func visible(to token: AccessToken?) -> [Feed] {
        feeds.filter { token?.covers($0.name) ?? true }
    }

    /// The page in place of an error that says that a token is needed: it has no data, and asks for one.
    private func pageOfRefusal(_ error: any Error, _ request: HTTPRequest) -> ShortAnswer? {
        guard options.statusPage, request.method == .get || request.method == .head,
            let error = error as? RequestError, error.code == .unauthorized,
            request.headerFields[.accept]?.lowercased().contains("text/html") ?? false
        else { return nil }
        return StatusPage.answer(error.status, error.fields)
    }

    private func refuse(_ code: RequestError.Code, _ message: String, _ fields: HTTPFields = [:]) -> Target {
        .answer(RequestError(code, message, fields: fields).answer)
    }

    /// Refuses a request, and tells those for streams of feeds that there are from others.
    private func refuse(_ error: any Error, _ request: HTTPRequest, _ path: Substring) -> Target {
        let error =
            switch error {
            case let error as RequestError: error
            case let error as StreamQueryError: RequestError(error)
            default: RequestError(.badRequest, "\(error)")
            }
        let isForStream = (request.method == .get || request.method == .head) && path.hasPrefix(Self.streams)
        guard isForStream, feedNames(path).allSatisfy({ feed($0) != nil }) else { return .answer(error.answer) }
        return .noStream(error)
    }

    private func feedNames(_ path: Substring) -> [String] {
        StreamRequest.feedNames(path.dropFirst(Self.streams.count))
    }

    private func feed(_ name: String) -> Feed? {
        feeds.first { $0.name == name }
    }

    private func stream(_ path: Substring, query: Substring, _ request: HTTPRequest, _ token: AccessToken?) -> Target {
        do {
            let names = feedNames(path)
            try StreamRequest.requireDistinct(names)
            if let token, let name = names.first(where: { !token.covers($0) }) {
                throw Authenticator.forbidden(name[...])
            }
            let asked = try names.map { name in
                guard let feed = feed(name) else {
                    throw RequestError(.unknownFeed, "there is no feed '\(name.prefix(200))'; see /feeds")
                }
                return feed
            }
            let ids = request.headerFields[values: .lastEventID]
            guard ids.count <= 1 else {
                throw RequestError(.badRequest, "Last-Event-ID is given \(ids.count) times; send it once")
            }
            return .stream(try StreamRequest.all(of: asked, query: query, lastEventID: ids.first), token)
        } catch {
            return refuse(error, request, path)
        }
    }
}
