// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import RowtailConfig

/// The configuration file as every command reads it.
enum ConfigFile {
    /// Reads the file.
    ///
    /// - Throws: `ConfigError`.
    static func read(_ path: String, overrides: ConfigOverrides = ConfigOverrides()) throws -> RowtailConfig {
        try RowtailConfig.load(
            path: path,
            environment: ProcessInfo.processInfo.environment,
            overrides: overrides
        )
    }

    /// Reads the file, or ends the program with 78 and everything that is wrong with it.
    static func load(_ path: String, overrides: ConfigOverrides = ConfigOverrides()) throws -> RowtailConfig {
        do {
            return try read(path, overrides: overrides)
        } catch let error as ConfigError {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            throw ExitCode(78)
        }
    }
}
