// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailConfig
import Testing

/// The sample says what the code does.
@Suite struct SampleConfigTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL

    static func text(of path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func parse(_ text: String) throws -> RowtailConfig {
        try RowtailConfig.parse(text, file: "/etc/rowtail/rowtail.yaml", environment: [:])
    }

    /// What the sample sets: a database and a feed, the rest left at its default.
    static var expected: RowtailConfig {
        var config = RowtailConfig()
        config.database = "/var/lib/app/app.db"
        config.feeds = [RowtailConfig.Feed(name: "orders", database: "/var/lib/app/app.db")]
        return config
    }

    @Test func `the sample sets a database and a feed and nothing else`() throws {
        #expect(try Self.parse(try Self.text(of: "config/rowtail.yaml")) == Self.expected)
    }

    @Test func `uncommenting the defaults of the sample changes nothing`() throws {
        let sample = try Self.text(of: "config/rowtail.yaml")
        let uncommented = sample.replacing(/(?m)^( *)#([a-z])/) { "\($0.1)\($0.2)" }
        #expect(uncommented != sample)
        #expect(try Self.parse(uncommented) == Self.expected)
    }

    @Test func `uncommenting the examples of the sample too is valid and sets every key`() throws {
        let sample = try Self.text(of: "config/rowtail.yaml")
        let uncommented = sample.replacing(/(?m)^( *)# ?([a-z0-9_]+: )/) { "\($0.1)\($0.2)" }
        let config = try Self.parse(uncommented)
        #expect(config.stateDirectory == "/var/lib/rowtail")
        #expect(config.feeds[0].database == "/var/lib/app/orders.db")
        for keyPath in RowtailConfig.keys.map(\.path) where keyPath != "feeds.NAME" {
            let key = keyPath.split(separator: ".").last ?? ""
            #expect(uncommented.contains(try Regex("(?m)(^ *|[{ ])\(key):")), "the sample lacks \(keyPath)")
        }
    }
}
