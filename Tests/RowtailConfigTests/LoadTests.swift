// SPDX-License-Identifier: Apache-2.0

import Foundation
import RowtailConfig
import Testing

@Suite struct LoadTests {
    /// Runs with a directory that goes away at the end.
    static func withDirectory(_ body: (_ directory: String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "rowtail-config-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory.path)
    }

    private static func message(loading path: String, again: Bool = false) -> String? {
        #expect(throws: ConfigError.self) { try RowtailConfig.load(path: path, environment: [:], again: again) }?
            .description
    }

    @Test func `relative paths start from the directory of the file`() throws {
        try Self.withDirectory { directory in
            let path = "\(directory)/a.yaml"
            try Data("database: ./app.db\nfeeds: {orders: }\nstate_directory: state".utf8).write(
                to: URL(filePath: path)
            )
            let config = try RowtailConfig.load(path: path, environment: [:])
            #expect(config.feeds[0].database == "\(directory)/app.db")
            #expect(config.stateDirectory == "\(directory)/state")
        }
    }

    @Test func `a pipe is read to its end, and paths in it start from the working directory`() throws {
        let working = FileManager.default.currentDirectoryPath
        let (pipe, text) = (Pipe(), Data("database: app.db\nfeeds: {orders: }\n".utf8))
        try pipe.fileHandleForWriting.write(contentsOf: text)
        try pipe.fileHandleForWriting.close()
        let path = "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)"
        let config = try RowtailConfig.load(path: path, environment: [:])
        #expect(config.feeds[0].database == "\(working)/app.db")
        // So do those of a file that came by such a name.
        try Self.withDirectory { directory in
            try text.write(to: URL(filePath: "\(directory)/a.yaml"))
            let file = try FileHandle(forReadingFrom: URL(filePath: "\(directory)/a.yaml"))
            let config = try RowtailConfig.load(path: "/dev/fd/\(file.fileDescriptor)", environment: [:], again: true)
            #expect(config.feeds[0].database == "\(working)/app.db")
        }
    }

    @Test func `a named pipe is waited for, and not read again`() throws {
        try Self.withDirectory { directory in
            let path = "\(directory)/a.yaml"
            #expect(mkfifo(path, 0o600) == 0)
            Thread.detachNewThread {
                try? Data("feeds: {orders: {database: /app.db}}".utf8).write(to: URL(filePath: path))
            }
            let config = try RowtailConfig.load(path: path, environment: [:])
            #expect(config.feeds[0].database == "/app.db")
            #expect(
                Self.message(loading: path, again: true)
                    == "\(path): not a file, and can't be read again; restart rowtail, or name a file with --config"
            )
        }
    }

    @Test func `nothing is an empty configuration, and what has no end is refused`() throws {
        try Self.withDirectory { directory in
            try Data().write(to: URL(filePath: "\(directory)/a.yaml"))
            let empty = Self.message(loading: "\(directory)/a.yaml")
            #expect(Self.message(loading: "/dev/null") == empty?.replacing("\(directory)/a.yaml", with: "/dev/null"))
        }
        #expect(Self.message(loading: "/dev/zero") == "/dev/zero: larger than 16MiB; name another with --config")
    }

    @Test func `a relative path of an override starts from the working directory`() throws {
        let working = FileManager.default.currentDirectoryPath
        let config = try RowtailConfig.parse(
            "feeds: {orders: }",
            file: "conf/a.yaml",
            environment: [:],
            overrides: ConfigOverrides(database: "app.db")
        )
        #expect(config.feeds[0].database == "\(working)/app.db")
        let relative = try RowtailConfig.parse("feeds: {a: {database: a.db}}", file: "conf/a.yaml", environment: [:])
        #expect(relative.feeds[0].database == "\(working)/conf/a.db")
    }

    @Test func `a missing file is reported`() throws {
        try Self.withDirectory { directory in
            let path = "\(directory)/none.yaml"
            #expect(Self.message(loading: path) == "\(path): no such file; create it or name another with --config")
        }
    }

    @Test func `a directory is reported`() throws {
        try Self.withDirectory { directory in
            #expect(Self.message(loading: directory) == "\(directory): a directory; name a file with --config")
        }
    }

    @Test func `a file in another encoding is reported`() throws {
        try Self.withDirectory { directory in
            let path = "\(directory)/a.yaml"
            try Data([0x61, 0x3A, 0x20, 0xFF]).write(to: URL(filePath: path))
            #expect(Self.message(loading: path) == "\(path): not UTF-8; save it in that encoding")
        }
    }
}
