// SPDX-License-Identifier: Apache-2.0

import Glibc

extension RowtailConfig {
    /// The largest configuration that is read.
    private static let sizeLimit = 16 << 20

    /// Reads a configuration file, or a pipe to its end, which waits for whoever writes to it.
    ///
    /// - Parameters:
    ///   - path: The file; it stands in messages as it is given here.
    ///   - environment: Where `${NAME}`, `ROWTAIL_…` and `STATE_DIRECTORY` are looked up.
    ///   - overrides: What the command line says.
    ///   - again: Whether it was read before; what isn't a file is refused then, as nobody writes it twice.
    /// - Returns: The configuration, overrides applied.
    /// - Throws: `ConfigError` with everything that is wrong.
    package static func load(
        path: String,
        environment: [String: String],
        overrides: ConfigOverrides = ConfigOverrides(),
        again: Bool = false
    ) throws -> RowtailConfig {
        var info = stat()
        let isFile = stat(path, &info) != 0 || [S_IFREG, S_IFDIR].contains(info.st_mode & S_IFMT)
        if again, !isFile {
            throw error(path, "not a file, and can't be read again; restart rowtail, or name a file with --config")
        }
        let text = try contents(of: path)
        // What is behind these names has no directory of its own.
        let isNamed = isFile && !["/dev/stdin", "/dev/fd/", "/proc/"].contains(where: path.hasPrefix)
        return try parse(
            text,
            file: path,
            directory: isNamed ? nil : "",
            environment: environment,
            overrides: overrides
        )
    }

    private static func contents(of path: String) throws(ConfigError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        let read = FileBytes(of: descriptor, limit: sizeLimit)
        guard read.failure == 0 else { throw unreadable(path, read.failure) }
        guard read.bytes.count <= sizeLimit else { throw error(path, "larger than 16MiB; name another with --config") }
        guard let text = String(validating: read.bytes, as: UTF8.self) else {
            throw error(path, "not UTF-8; save it in that encoding")
        }
        return text
    }

    private static func unreadable(_ path: String, _ code: CInt) -> ConfigError {
        switch code {
        case ENOENT: error(path, "no such file; create it or name another with --config")
        case EACCES: error(path, "permission denied; let the user that rowtail runs as read it")
        case EISDIR: error(path, "a directory; name a file with --config")
        default: error(path, "cannot be read (\(String(cString: strerror(code)))); check the path")
        }
    }

    private static func error(_ path: String, _ message: String) -> ConfigError {
        ConfigError([ConfigError.Problem(place: path, message: message)])
    }
}
