// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailCore

extension CheckReport {
    /// The report for machines: one JSON object, indented, its keys in alphabetical order.
    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
        }
    }
}

extension CheckReport: Encodable {
    private enum CodingKeys: String, CodingKey {
        case config, user, verdict, warnings, feeds
    }

    /// Writes what was found and what it comes to.
    package func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: CodingKeys.self)
        try object.encode(config, forKey: .config)
        try object.encode(user, forKey: .user)
        try object.encode(verdict, forKey: .verdict)
        try object.encode(notices, forKey: .warnings)
        try object.encode(feeds, forKey: .feeds)
    }
}

extension FeedReport: Encodable {
    private enum CodingKeys: String, CodingKey {
        case name, database, table, mode, verdict, findings
    }

    /// Writes what was found and what it comes to.
    package func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: CodingKeys.self)
        try object.encode(feed, forKey: .name)
        try object.encode(database, forKey: .database)
        try object.encode(table, forKey: .table)
        try object.encode(mode.rawValue, forKey: .mode)
        try object.encode(verdict, forKey: .verdict)
        try object.encode(fileFindings + tableFindings, forKey: .findings)
    }
}
