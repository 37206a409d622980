// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL

/// What errors of connections mean to people.
enum ConnectionFailure {
    /// What happened to a connection that was there.
    static func text(_ error: any Error) -> String {
        switch error {
        case HTTPParserError.invalidEOFState: "the connection ended in the middle of the answer"
        case NIOSSLError.uncleanShutdown: "the connection ended without TLS's goodbye"
        case let error as NIOHTTP2Errors.StreamClosed: "the stream was reset: \(error.errorCode)"
        case let error as HTTPParserError: "what came is no HTTP: \(error)"
        case let error as IOError: system(error)
        default: "\(error)"
        }
    }

    /// Why no connection came about, and what to do.
    static func error(_ error: any Error, _ options: ProbeOptions) -> ProbeError {
        if let error = error as? ProbeError { return error }
        let target = options.target
        let place = options.unixSocket.map { "unix:\($0)" } ?? target.authority
        switch error {
        case let error as NIOConnectionError where error.connectionErrors.isEmpty:
            return ProbeError(
                code: .connection,
                message: "the name '\(target.host)' has no address that could be found",
                remedy: "see that it is written right and that 'getent hosts \(target.host)' finds it"
            )
        case let error as NIOConnectionError:
            return unreachable(place, error.connectionErrors.last?.error ?? error)
        case is NIOSSLExtraError, is NIOSSLError, is BoringSSLError:
            return secure("\(error)", place, target)
        case let error as ChannelError:
            return unreachable(place, error)
        case let error as IOError:
            return unreachable(place, error)
        default:
            return ProbeError(
                code: .connection,
                message: "\(place): \(text(error))",
                remedy: "see the log of what listens there"
            )
        }
    }

    private static func unreachable(_ place: String, _ error: any Error) -> ProbeError {
        if case ChannelError.connectTimeout = error {
            return ProbeError(
                code: .connection,
                message: "\(place) doesn't answer",
                remedy: "see that the machine runs and that no firewall drops what comes for that port"
            )
        }
        let reason = (error as? IOError).map(system) ?? "\(error)"
        return ProbeError(
            code: .connection,
            message: "no connection to \(place): \(reason)",
            remedy: "start what should listen there, or ask where it does"
        )
    }

    private static func secure(_ text: String, _ place: String, _ target: ProbeTarget) -> ProbeError {
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return ProbeError(
                code: .certificate,
                message: "the certificate of \(place) is signed by nobody who is trusted here, or has expired",
                remedy: "give the server a good one with all that it is signed by; --insecure looks past it"
            )
        }
        if text.contains("validateHostname") || text.contains("ertificate") {
            return ProbeError(
                code: .certificate,
                message: "the certificate of \(place) is for another name than '\(target.host)'",
                remedy: "ask by the name that it is for; --insecure looks past it"
            )
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST")
            || text.contains("EOF during handshake")
        {
            return ProbeError(
                code: .tls,
                message: "\(place) doesn't speak TLS, or not for that name",
                remedy: "ask http://\(target.authority)\(target.path), another port, or the name that it serves"
            )
        }
        return ProbeError(
            code: .tls,
            message: "\(place): TLS failed: \(text)",
            remedy: "see the log of what listens there, and that the name is the one that it serves"
        )
    }

    private static func system(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "nothing listens there"
        case ECONNRESET: "the connection was reset"
        case EPIPE: "the connection was closed"
        case ENOENT: "there is no such socket"
        case EACCES: "this user may not"
        case ETIMEDOUT: "no answer came"
        case EHOSTUNREACH, ENETUNREACH: "there is no way to it"
        default: String(cString: strerror(error.errnoCode))
        }
    }
}
