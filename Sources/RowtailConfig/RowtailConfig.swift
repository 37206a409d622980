// SPDX-License-Identifier: Apache-2.0

package import Logging

/// What the daemon was told to do: the configuration file with its defaults, overrides applied.
///
/// Every value has been checked against its range. Paths are absolute.
package struct RowtailConfig: Sendable, Equatable {
    /// Where the server accepts connections, never empty.
    package var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 8080)]

    /// The database of feeds that don't name their own.
    package var database: String?

    /// The time between two polls of a database.
    package var pollInterval: Duration = .seconds(1)

    /// Whether a poll also follows a change of the file.
    package var wakeOnWrite = true

    /// Where generations and watermarks are kept across restarts; `nil` keeps them in memory alone.
    package var stateDirectory: String?

    /// The time without a byte sent after which a stream gets a comment.
    package var heartbeatInterval: Duration = .seconds(15)

    /// The time after which clients are told to reconnect, before it is spread at random.
    package var retry: Duration = .seconds(3)

    /// The age at which a stream is ended in order; `nil` for none.
    package var maxConnectionAge: Duration?

    /// The time that streams have to end in order on shutdown.
    package var drainTimeout: Duration = .seconds(5)

    /// The bytes of encoded events that each feed keeps in memory.
    package var tailBytes = 8 << 20

    /// The most rows that one read transaction takes.
    package var pageRows = 1000

    /// The most bytes that one read transaction takes, but for a single row that is larger.
    package var pageBytes = 256 << 10

    /// The size past which a row is replaced by `rowtail.oversize`, in bytes.
    package var maxEventBytes = 1 << 20

    /// How much clients may take.
    package var limits = Limits()

    /// What pages of other origins may do.
    package var cors = CORS()

    /// Who may read.
    package var auth = Auth()

    /// What connections are encrypted with; `nil` for plain ones.
    package var tls: TLS?

    /// Whether the status page is served.
    package var statusPage = true

    /// What is logged, and how.
    package var log = Log()

    /// The feeds in the order of the file, never empty once read, each name once.
    package var feeds: [Feed] = []

    /// Holds the defaults, without a feed.
    package init() {}
}

extension RowtailConfig {
    /// How much clients may take.
    package struct Limits: Sendable, Equatable {
        /// The most streams at a time; `nil` for no limit.
        package var streams: Int? = 10_000

        /// The most streams at a time from one client address; `nil` for no limit.
        package var streamsPerAddress: Int?

        /// The most pages that are read from tables at a time; `nil` for no limit.
        package var replays: Int? = 4

        /// The largest request head, in bytes.
        package var requestHead = 16 << 10

        /// The time a client has to send a request's head; `nil` for no limit.
        package var requestTimeout: Duration? = .seconds(10)

        /// The time a client may take nothing of what was sent; `nil` for no limit.
        package var writeTimeout: Duration? = .seconds(60)
    }

    /// What pages of other origins may do.
    package struct CORS: Sendable, Equatable {
        /// The origins whose pages may read, as browsers send them; `*` is every origin.
        package var allowedOrigins: [String] = []

        /// Whether those pages may send credentials; never together with `*`.
        package var allowCredentials = false
    }

    /// Who may read.
    package struct Auth: Sendable, Equatable {
        /// The file of the tokens; `nil` lets everybody read.
        package var tokensFile: String?

        /// What the file says, once ``RowtailConfig/withTokens()`` read it.
        package var tokens: TokensFile?

        /// Whether a token may stand in a URL, where logs of others may keep it.
        package var allowQueryToken = false

        /// The name of the cookie that may carry a token; `nil` for none.
        package var cookie: String?
    }

    /// What connections are encrypted with, both PEM files.
    package struct TLS: Sendable, Equatable {
        /// The certificate, and those that lead from it to one that clients know.
        package var certificate: String

        /// The certificate's private key.
        package var privateKey: String

        /// Names both files.
        package init(certificate: String, privateKey: String) {
            self.certificate = certificate
            self.privateKey = privateKey
        }
    }

    /// What is logged, and how.
    package struct Log: Sendable, Equatable {
        /// The least severe level that is logged.
        package var level: Logger.Level = .info

        /// The form of a line.
        package var format = Format.text

        /// The form of a log line.
        package enum Format: String, CaseIterable, Sendable {
            /// For people.
            case text

            /// One JSON object a line.
            case json
        }
    }
}
