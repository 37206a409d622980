// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

extension RowtailConfig {
    /// Reads a configuration file.
    ///
    /// - Parameters:
    ///   - path: The file; it stands in messages as it is given here.
    ///   - environment: Where `${NAME}`, `ROWTAIL_…` and `STATE_DIRECTORY` are looked up.
    ///   - overrides: What the command line says.
    /// - Returns: The configuration, overrides applied.
    /// - Throws: `ConfigError` with everything that is wrong.
    package static func load(
        path: String,
        environment: [String: String],
        overrides: ConfigOverrides = ConfigOverrides()
    ) throws -> RowtailConfig {
        try parse(try contents(of: path), file: path, environment: environment, overrides: overrides)
    }

    private static func contents(of path: String) throws(ConfigError) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path, directoryHint: .notDirectory))
        } catch {
            let error = error as? CocoaError
            let message =
                switch (error?.code, (error?.underlying as? POSIXError)?.code) {
                case (.fileReadNoSuchFile, _): "no such file; create it or name another with --config"
                case (.fileReadNoPermission, _): "permission denied; let the user that rowtail runs as read it"
                case (_, .EISDIR): "a directory; name a file with --config"
                case (_, let code?): "cannot be read (\(String(cString: strerror(code.rawValue)))); check the path"
                default: "cannot be read; check the path"
                }
            throw ConfigError([ConfigError.Problem(place: path, message: message)])
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ConfigError([ConfigError.Problem(place: path, message: "not UTF-8; save it in that encoding")])
        }
        return text
    }
}
