// SPDX-License-Identifier: Apache-2.0

import Glibc

extension RowtailConfig {
    /// Reads the file of `auth.tokens_file` as it is now, if there is one.
    ///
    /// Only who serves needs it: the users of other commands may not be able to read it.
    ///
    /// - Returns: The configuration with the tokens.
    /// - Throws: `ConfigError` with everything that is wrong with the file.
    package func withTokens() throws(ConfigError) -> RowtailConfig {
        guard let path = auth.tokensFile else { return self }
        var config = self
        config.auth.tokens = try TokensFile(path: path, feeds: feeds.map(\.name))
        return config
    }
}

extension TokensFile {
    /// Reads a file.
    ///
    /// A file past 1 MiB is refused. That others on the machine may read it is a warning.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - feeds: The feeds that there are.
    /// - Throws: `ConfigError` with everything that is wrong.
    package init(path: String, feeds: [String]) throws(ConfigError) {
        // A pipe that nobody writes to would block.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.unreadable(path, errno) }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw Self.unreadable(path, errno) }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw Self.error(path, "not a regular file; name a file in auth.tokens_file")
        }
        try self.init(try Self.contents(of: descriptor, path: path), path: path, feeds: feeds)
        if info.st_mode & S_IROTH != 0 {
            warn("\(path): every user of this machine may read the tokens; run 'chmod o= \(path.printable)'")
        }
    }

    private static func contents(of descriptor: CInt, path: String) throws(ConfigError) -> [UInt8] {
        let read = FileBytes(of: descriptor, limit: sizeLimit)
        guard read.failure == 0 else { throw unreadable(path, read.failure) }
        guard read.bytes.count <= sizeLimit else {
            throw error(path, "larger than 1MiB; remove tokens that nobody uses")
        }
        return read.bytes
    }

    private static func unreadable(_ path: String, _ code: CInt) -> ConfigError {
        switch code {
        case ENOENT: error(path, "no such file; create it or correct auth.tokens_file")
        case EACCES: error(path, "permission denied; let the user that rowtail runs as read it")
        default: error(path, "cannot be read (\(String(cString: strerror(code)))); check auth.tokens_file")
        }
    }

    private static func error(_ path: String, _ message: String) -> ConfigError {
        ConfigError([ConfigError.Problem(place: path, message: message)])
    }
}
