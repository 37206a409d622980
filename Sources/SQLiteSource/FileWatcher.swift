// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import Synchronization

/// Tells at once when a database file is written, by watching its directory.
///
/// A hint: the timer stays the guarantee. A WAL commit touches only the `-wal` file, a commit in the rollback modes the
/// main file. Reading raises other events (ATTRIB, CLOSE_WRITE), which must not wake the reader, or it would wake itself
/// for ever.
///
/// Source: inotify(7).
final class FileWatcher: Sendable {
    private struct State {
        var source: (any DispatchSourceRead)?
        var names: Set<String> = []
    }

    private let queue = DispatchQueue(label: "rowtail.watch")
    private let onChange: @Sendable () -> Void
    private let state = Mutex(State())

    /// A watcher of nothing.
    ///
    /// - Parameter onChange: Called on a queue of the watcher's after one or more writes.
    init(onChange: @escaping @Sendable () -> Void) {
        self.onChange = onChange
    }

    deinit {
        stop()
    }

    /// Whether a directory is being watched.
    var isWatching: Bool { state.withLock { $0.source != nil } }

    /// Watches the files of a database.
    ///
    /// - Returns: Whether that was possible; the kernel limits the number of watchers per user.
    func watch(path: String) -> Bool {
        stop()
        let real = FileAccess.realPath(path)
        let name = real.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? real
        let descriptor = inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { return false }
        let mask = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
        guard inotify_add_watch(descriptor, FileAccess.directory(of: real), mask) >= 0 else {
            close(descriptor)
            return false
        }
        state.withLock { state in
            let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
            source.setEventHandler { [weak self] in self?.drain(descriptor) }
            source.setCancelHandler { close(descriptor) }
            source.resume()
            state.names = [name, "\(name)-wal"]
            state.source = source
        }
        return true
    }

    /// Stops watching.
    func stop() {
        state.withLock { state in
            state.source?.cancel()
            state.source = nil
        }
    }

    private func drain(_ descriptor: CInt) {
        let names = state.withLock { $0.names }
        var concerns = false
        var isGone = false
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 8) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                guard count > 0 else { break }
                var at = 0
                while at < count {
                    let event = buffer.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
                    let nameStart = at + MemoryLayout<inotify_event>.size
                    let name = buffer[nameStart..<nameStart + Int(event.len)].prefix { $0 != 0 }
                    if names.contains(String(decoding: name, as: UTF8.self)) { concerns = true }
                    // After an overflow anything may have been written.
                    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { concerns = true }
                    if event.mask & UInt32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF) != 0 { isGone = true }
                    at = nameStart + Int(event.len)
                }
            }
        }
        if isGone { stop() }
        if concerns || isGone { onChange() }
    }
}
