// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import RowtailConfig
import ServiceManager
import StreamServer

/// The configuration file as every command reads it.
enum ConfigFile {
    /// Reads the file and the tokens that it names, as who serves needs them; `again` for a reload.
    ///
    /// - Throws: `ConfigError`.
    static func read(_ path: String, overrides: ConfigOverrides, again: Bool = false) throws -> RowtailConfig {
        try settings(path, overrides, again: again).withTokens()
    }

    private static func settings(
        _ path: String,
        _ overrides: ConfigOverrides,
        again: Bool = false
    ) throws -> RowtailConfig {
        try RowtailConfig.load(
            path: path,
            environment: ProcessInfo.processInfo.environment,
            overrides: overrides,
            again: again
        )
    }

    /// Reads the file, or ends the program with 78 and everything that is wrong with it.
    static func load(_ path: String) throws -> RowtailConfig {
        try orExit { try settings(path, ConfigOverrides()) }
    }

    /// Reads the file and its tokens, or ends the program likewise.
    static func load(_ path: String, overrides: ConfigOverrides) throws -> RowtailConfig {
        try orExit { try read(path, overrides: overrides) }
    }

    /// Does what the configuration wants, or ends the program likewise: with the certificate or a socket that isn't there,
    /// it can't be what was meant.
    static func orExit<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error where error is ConfigError || error is ServerError || error is SocketActivation.Failure {
            Output.complain("\(error)")
            throw ExitCode.configuration
        }
    }
}
