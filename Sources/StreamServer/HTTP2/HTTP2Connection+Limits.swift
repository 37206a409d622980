// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2

extension HTTP2Connection {
    /// How many streams a client may have open at once on one connection; more are refused, and may be sent again.
    static let maximumStreams = 256

    /// How large a head may be before its connection is closed.
    ///
    /// A proxy sends requests of many clients on one connection, so a head that is only too large for
    /// `limits.request_head` is answered by 431, and the others go on.
    static func maximumHeaderList(_ limits: ServerOptions.Limits) -> Int {
        max(4 * limits.requestHead, 64 << 10)
    }

    /// Whether an error is a request's that makes no sense, which is its stream's alone (RFC 9113, sections 5.4.2 and 8.1.1).
    static func concernsOneStream(_ error: any Error) -> Bool {
        switch error {
        case is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader, is NIOHTTP2Errors.InvalidPseudoHeaders,
            is NIOHTTP2Errors.EmptyPathHeader, is NIOHTTP2Errors.ForbiddenHeaderField,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue,
            is NIOHTTP2Errors.InvalidPseudoHeaderValue, is NIOHTTP2Errors.UnknownPseudoHeader,
            is NIOHTTP2Errors.UnsupportedPseudoHeader, is NIOHTTP2Errors.DuplicatePseudoHeader,
            is NIOHTTP2Errors.MissingPseudoHeader, is NIOHTTP2Errors.ContentLengthViolated,
            is NIOHTTP2Errors.ContentLengthHeadersMismatch, is NIOHTTP2Errors.ContentLengthHeaderNegative,
            is NIOHTTP2Errors.ContentLengthHeaderMalformedValue:
            true
        default: false
        }
    }

    /// The bounds on what a client may do.
    ///
    /// Past any but that on streams, the connection is closed.
    static func configuration(_ limits: ServerOptions.Limits) -> NIOHTTP2Handler.Configuration {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maximumStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: maximumHeaderList(limits)),
        ]
        // Heads in pieces: the largest head fits into full frames of 16 KiB.
        configuration.connection.maximumSequentialContinuationFrames = maximumHeaderList(limits) / (16 << 10) + 1
        // Frames that say nothing.
        configuration.connection.maximumSequentialEmptyDataFrames = 1
        // Answers to PING and SETTINGS that a client doesn't read, and ends of streams: some dozen bytes each.
        configuration.connection.maximumBufferedControlFrames = 1000
        // Frames of streams that were ended here may still be on their way.
        configuration.connection.maximumRecentlyResetStreams = maximumStreams
        // PING, SETTINGS and PRIORITY; some clients send a PRIORITY with each request.
        configuration.connection.controlFrameRateLimit.maximumCount = 4 * maximumStreams
        configuration.connection.controlFrameRateLimit.windowLength = .seconds(30)
        // A client leaves a stream by resetting it, and behind a proxy all of them may leave at once, come back and leave
        // again. A flood of requests that are reset at once has thousands in a second.
        configuration.stream.streamResetFrameRateLimit.maximumCount = 4 * maximumStreams
        configuration.stream.streamResetFrameRateLimit.windowLength = .seconds(30)
        // Requests that aren't HTTP/2 at all.
        configuration.stream.streamErrorRateLimit.maximumCount = maximumStreams
        configuration.stream.streamErrorRateLimit.windowLength = .seconds(30)
        configuration.connection.maximumConnectionGlitches = 4 * maximumStreams
        return configuration
    }
}
