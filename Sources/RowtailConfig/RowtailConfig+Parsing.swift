// SPDX-License-Identifier: Apache-2.0

import Logging

extension RowtailConfig {
    /// Reads a configuration from a text.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: The name in messages.
    ///   - directory: Where relative paths start, the directory of the file by default.
    ///   - environment: Where `${NAME}`, `ROWTAIL_…` and `STATE_DIRECTORY` are looked up.
    ///   - overrides: What the command line says.
    /// - Returns: The configuration, overrides applied.
    /// - Throws: `ConfigError` with everything that is wrong.
    package static func parse(
        _ text: String,
        file: String,
        directory: String? = nil,
        environment: [String: String],
        overrides: ConfigOverrides = ConfigOverrides()
    ) throws -> RowtailConfig {
        var config = RowtailConfig()
        if let first = environment["STATE_DIRECTORY"]?.split(separator: ":").first {
            config.stateDirectory = absolutePath(String(first), from: "")
        }
        let overrides = overrides.filled(from: environment)
        var problems: [ConfigError.Problem] = []
        do {
            let root = try ConfigNode.root(of: text)
            let source = ConfigSource(file: file, environment: environment)
            let directory = directory ?? RowtailConfig.directory(of: file)
            var reader = SectionReader(root, path: nil, line: nil, source: source)
            config.readSettings(from: &reader, directory: directory)
            problems += config.apply(overrides)
            config.readFeeds(from: &reader, directory: directory, hasDefault: overrides.database != nil)
            reader.finish()
            problems = reader.problems + problems
        } catch {
            problems = [ConfigError.Problem(place: file, line: error.line, message: error.message)]
            problems += config.apply(overrides)
        }
        guard problems.isEmpty else { throw ConfigError(problems) }
        return config
    }

    /// The directory that holds a file, as it stands in the file's path.
    private static func directory(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "" }
        return String(file[...slash])
    }

    // MARK: - Sections

    /// Reads everything but the feeds.
    mutating func readSettings(from root: inout SectionReader, directory: String) {
        let noAddress = "write at least one address, or remove the key for 127.0.0.1:8080"
        root.list("listen", of: .listenAddress, acceptsSingle: true, emptyRemedy: noAddress, into: &listen)
        validateListen(in: &root)
        root.read("database", .path(from: directory), into: &database)
        root.read("poll_interval", .duration(.milliseconds(10)...hour), into: &pollInterval)
        root.read("wake_on_write", .bool, into: &wakeOnWrite)
        root.read("state_directory", .path(from: directory), into: &stateDirectory)
        root.read("heartbeat_interval", .duration(.milliseconds(100)...hour), into: &heartbeatInterval)
        root.read("retry", .duration(.milliseconds(10)...hour), into: &retry)
        root.read("max_connection_age", .durationOrOff(.seconds(1)...hour * 8760), into: &maxConnectionAge)
        root.read("drain_timeout", .duration(.zero...(.seconds(600))), into: &drainTimeout)
        root.read("tail_bytes", .size(64 << 10...16 << 30), into: &tailBytes)
        root.read("page_rows", .integer(1...1_000_000), into: &pageRows)
        root.read("page_bytes", .size(1 << 10...64 << 20), into: &pageBytes)
        root.read("max_event_bytes", .size(64...64 << 20), into: &maxEventBytes)
        root.section("limits") { section in
            section.read("streams", .limit(upTo: 1_000_000), into: &limits.streams)
            section.read("streams_per_address", .limit(upTo: 1_000_000), into: &limits.streamsPerAddress)
            section.read("replays", .limit(upTo: 1000), into: &limits.replays)
            section.read("request_head", .size(1 << 10...1 << 20), into: &limits.requestHead)
            section.read("request_timeout", .durationOrOff(.milliseconds(100)...hour), into: &limits.requestTimeout)
            section.read("write_timeout", .durationOrOff(.seconds(1)...hour), into: &limits.writeTimeout)
        }
        root.section("cors") { section in
            section.list("allowed_origins", of: .origin, into: &cors.allowedOrigins)
            section.read("allow_credentials", .bool, into: &cors.allowCredentials)
            cors.validate(in: &section)
        }
        root.section("auth") { section in
            section.read("tokens_file", .path(from: directory), into: &auth.tokensFile)
            section.read("allow_query_token", .bool, into: &auth.allowQueryToken)
            section.read("cookie", .cookieName, into: &auth.cookie)
            auth.validate(in: &section)
        }
        root.section("tls") { section in
            var (certificate, privateKey): (String?, String?)
            section.read("certificate", .path(from: directory), into: &certificate)
            section.read("private_key", .path(from: directory), into: &privateKey)
            TLS.validate(in: &section)
            if let certificate, let privateKey { tls = TLS(certificate: certificate, privateKey: privateKey) }
        }
        root.read("status_page", .bool, into: &statusPage)
        root.section("log") { section in
            section.read("level", .choice, into: &log.level)
            section.read("format", .choice, into: &log.format)
        }
    }

    /// Reads the feeds, once the default of their database is known.
    mutating func readFeeds(from root: inout SectionReader, directory: String, hasDefault: Bool) {
        // A default that is there but wrong is one problem, not one more for each feed.
        let hasDefault = hasDefault || root.has("database")
        root.namedSections("feeds") { name, section in
            var feed = Feed(name: name, database: database ?? "")
            feed.read(from: &section, directory: directory)
            feed.validate(in: &section, hasDefaultDatabase: hasDefault)
            feeds.append(feed)
        }
        validateFeeds(in: &root)
    }

    /// Puts the overrides in place of what the file says.
    private mutating func apply(_ overrides: ConfigOverrides) -> [ConfigError.Problem] {
        var problems: [ConfigError.Problem] = []
        func parse<Value>(_ value: ConfigOverrides.Value, with parser: ValueParser<Value>) -> Value? {
            do {
                return try parser.parse(ScalarText(text: value.text, isPlain: false))
            } catch {
                problems.append(ConfigError.Problem(place: value.place, message: error.message))
                return nil
            }
        }
        if !overrides.listen.isEmpty {
            listen = overrides.listen.compactMap { parse($0, with: .listenAddress) }
        }
        if let value = overrides.database {
            // From the command line a path starts where the user stands.
            database = parse(value, with: .path(from: ""))
        }
        if let value = overrides.logLevel {
            log.level = parse(value, with: .choice) ?? log.level
        }
        return problems
    }
}

/// The longest of most durations.
private let hour = Duration.seconds(3600)

extension RowtailConfig.Feed {
    fileprivate mutating func read(from section: inout SectionReader, directory: String) {
        section.read("database", .path(from: directory), into: &database)
        section.read("table", .text, into: &table)
        section.read("mode", .choice, into: &mode)
        section.read("watermark", .text, into: &watermark)
        let noKey = "name columns, or remove the key for the primary key"
        section.list("key", of: .text, acceptsSingle: true, emptyRemedy: noKey, into: &key)
        section.read("settle", .duration(.zero...hour), into: &settle)
        let noColumns = "name columns, or remove the key for all"
        section.list("columns", of: .text, emptyRemedy: noColumns, into: &columns)
        section.read("where", .text, into: &filter)
        section.read("event", .eventName, into: &event)
        section.list("json_columns", of: .text, into: &jsonColumns)
        section.read("int64", .choice, into: &int64)
        section.read("start", .startPoint, into: &start)
        section.read("on_reset", .choice, into: &onReset)
        section.section("capture") { section in
            section.read("retention_age", .duration(.seconds(1)...hour * 87_600), into: &capture.retentionAge)
            section.read("retention_rows", .integer(1...1_000_000_000_000), into: &capture.retentionRows)
            section.read("prune_interval", .duration(.seconds(1)...hour * 24), into: &capture.pruneInterval)
            capture.validate(in: &section)
        }
        section.read("retired", .bool, into: &retired)
    }
}
