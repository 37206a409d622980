// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc

/// What commands print, and what they complain of.
enum Output {
    /// Writes a text to standard output, all of it.
    ///
    /// A pipe that nobody reads any more ends the program without a word, as `SIGPIPE` does.
    ///
    /// - Throws: 1, once standard error has the reason, where the text can't be written.
    static func write(_ text: String) throws {
        let failure = writeAll(text, to: STDOUT_FILENO)
        guard failure != 0 else { return }
        if failure == EPIPE {
            // Somebody had the signal ignored: who started the program, or SwiftNIO.
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        } else {
            let reason = String(cString: strerror(failure)).lowercased()
            complain("standard output can't be written: \(reason); write to where it can")
        }
        throw ExitCode.failure
    }

    /// Writes lines, likewise.
    static func write(lines: [String]) throws {
        try write(lines.map { "\($0)\n" }.joined())
    }

    /// Writes a line to standard error; where that can't be, there is nobody to tell.
    static func complain(_ line: String) {
        _ = writeAll("\(line)\n", to: STDERR_FILENO)
    }

    /// Writes a text, waiting where the other end takes its time.
    ///
    /// - Returns: 0, or the error's number.
    private static func writeAll(_ text: String, to descriptor: CInt) -> CInt {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                let code = count < 0 ? errno : 0
                switch code {
                case 0: rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                case EINTR: continue
                case EAGAIN:
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&waiting, 1, -1)
                default: return code
                }
            }
            return 0
        }
    }
}
