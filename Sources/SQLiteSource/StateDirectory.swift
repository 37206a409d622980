// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import RowtailCore

/// Where records of feeds outlive the daemon: one file per feed, `NAME.state`, replaced whole.
///
/// A file is a line of JSON and a line with its checksum. It is written beside its place, synced, and renamed over the
/// old one, so that a crash leaves the old or the new one. What can't be read is refused: guessing would lose rows.
package final class StateDirectory: Sendable {
    /// Why the directory or a file in it can't be used.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        /// What is wrong, where, and the remedy.
        package var description: String
    }

    /// The directory.
    package let path: String

    private let lock: CInt
    // Syncing takes as long as the disk likes; the pollers don't wait for it but where they must.
    private let queue = DispatchQueue(label: "rowtail.state")

    /// Takes hold of a directory, which is created where it is missing.
    ///
    /// - Throws: ``Failure`` when it can't be written, or another daemon has it.
    package init(path: String) throws {
        self.path = path
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(
                description: "state_directory '\(path)' can't be created: \(Self.reason()); create it for this user"
            )
        }
        lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard lock >= 0 else {
            throw Failure(
                description: "state_directory '\(path)' can't be written: \(Self.reason()); give it to this user"
            )
        }
        // From here on `deinit` closes it, also where this throws.
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(description: "state_directory '\(path)' is in use by another rowtail; give each its own")
        }
    }

    deinit {
        if lock >= 0 { close(lock) }
    }

    /// Lets another have the directory, once nothing is written to it any more.
    package func release() {
        flush()
        flock(lock, LOCK_UN)
    }

    private static func reason() -> String {
        String(cString: strerror(errno))
    }

    private func file(_ feed: String) -> String {
        "\(path)/\(feed).state"
    }

    /// Reads a feed's record.
    ///
    /// - Returns: `nil` when there is none yet.
    /// - Throws: ``Failure`` when there is one that is torn, or is no record of this feed.
    package func load(_ feed: String) throws -> FeedRecord? {
        let file = file(feed)
        guard let data = FileManager.default.contents(atPath: file) else {
            guard access(file, F_OK) == 0 else { return nil }
            throw Failure(description: "state file '\(file)' can't be read: \(Self.reason()); give it to this user")
        }
        let remedy =
            "restore it from a backup, or remove it to start anew (clients with older ids then get a reset or start over)"
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count == 3, lines[2].isEmpty, Data(lines[1]) == Data(Self.checksum(Data(lines[0])).utf8) else {
            throw Failure(description: "state file '\(file)' is torn or was not written by rowtail; \(remedy)")
        }
        guard let record = try? JSONDecoder().decode(FeedRecord.self, from: Data(lines[0])) else {
            throw Failure(description: "state file '\(file)' has a format that this version doesn't know; \(remedy)")
        }
        guard record.feed == feed else {
            throw Failure(description: "state file '\(file)' is of another feed, '\(record.feed)'; \(remedy)")
        }
        return record
    }

    /// Replaces a feed's record.
    ///
    /// Returns once it would outlive a power cut.
    ///
    /// - Throws: ``Failure`` when it can't be written; the old one is then still there.
    package func write(_ record: FeedRecord) throws {
        try queue.sync { try replace(record) }
    }

    /// Replaces a feed's record soon, after what was asked for before.
    ///
    /// What went wrong, if anything, is told on a queue of the directory's.
    package func writeLater(_ record: FeedRecord, _ completion: @escaping @Sendable ((any Error)?) -> Void) {
        queue.async {
            do {
                try self.replace(record)
                completion(nil)
            } catch {
                completion(error)
            }
        }
    }

    /// Waits until everything asked for by ``writeLater(_:_:)`` was done.
    package func flush() {
        queue.sync {}
    }

    private func replace(_ record: FeedRecord) throws {
        let file = file(record.feed)
        let temporary = "\(file).tmp"
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let json = try? encoder.encode(record) else {
            throw Failure(description: "state file '\(file)': the record can't be encoded")
        }
        let data = json + Data("\n\(Self.checksum(json))\n".utf8)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw unwritable(file) }
        let isWritten = data.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                guard count > 0 else { return false }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
            return fsync(descriptor) == 0
        }
        guard isWritten else {
            defer { close(descriptor) }
            throw unwritable(file)
        }
        close(descriptor)
        guard rename(temporary, file) == 0 else { throw unwritable(file) }
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw unwritable(file) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw unwritable(file) }
    }

    private func unwritable(_ file: String) -> Failure {
        Failure(
            description:
                "state file '\(file)' can't be written: \(Self.reason()); see to space and permissions, the feed goes on meanwhile"
        )
    }

    private static func checksum(_ data: Data) -> String {
        var hash = StableHash()
        data.withUnsafeBytes { hash.feed($0) }
        return "checksum \(String(hash.value, radix: 16))"
    }
}
