// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// Tells at once when a database file is written, by watching its directory.
///
/// A hint: the timer stays the guarantee. A WAL commit touches only the `-wal` file, a commit in the rollback modes the
/// main file. Reading raises other events (ATTRIB, CLOSE_WRITE), which must not wake the reader, or it would wake itself
/// for ever.
///
/// The kernel's events are read on the event loop that polls, so that no other thread has to wake up between a write
/// and the poll that it causes.
///
/// Source: inotify(7).
final class FileWatcher: Sendable {
    private struct State {
        var channel: EventLoopFuture<any Channel>?
        /// Which of the calls of `watch` is in force.
        var round = 0
        /// The latest of them whose descriptor is the channel's to close.
        var handedOver = 0
    }

    private let eventLoop: any EventLoop
    private let onChange: @Sendable () -> Void
    private let state = Mutex(State())

    /// A watcher of nothing.
    ///
    /// - Parameters:
    ///   - eventLoop: What watches: one of NIO's own, on sockets.
    ///   - onChange: Called on it after one or more writes.
    init(on eventLoop: any EventLoop, onChange: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.onChange = onChange
    }

    deinit {
        stop()
    }

    /// Whether a directory is being watched.
    var isWatching: Bool { state.withLock { $0.channel != nil } }

    /// Watches the files of a database.
    ///
    /// - Returns: Whether that was possible; the kernel limits the number of watchers per user.
    func watch(path: String) -> Bool {
        let real = FileAccess.realPath(path)
        let name = real.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? real
        let descriptor = inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else {
            stop()
            return false
        }
        let mask = UInt32(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
        guard inotify_add_watch(descriptor, FileAccess.directory(of: real), mask) >= 0 else {
            close(descriptor)
            stop()
            return false
        }
        let round = exchange()
        let handler: @Sendable () -> InotifyHandler = { [weak self] in
            InotifyHandler(names: [name, "\(name)-wal"]) { isGone in
                if isGone { self?.stop(round) }
                self?.onChange()
            }
        }
        let channel = NIOPipeBootstrap(group: eventLoop)
            // One event is always read whole; a read with less room than it takes would fail.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
            .channelInitializer { [self] channel in
                state.withLock { $0.handedOver = round }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler())
                }
            }
            .takingOwnershipOfDescriptor(input: descriptor)
        channel.whenFailure { [self] _ in
            // A channel that got as far as this has closed it, and the number may be another file's by now.
            if state.withLock({ $0.handedOver < round }) { close(descriptor) }
            stop(round)
        }
        let isInForce = state.withLock { state in
            if state.round == round { state.channel = channel }
            return state.round == round
        }
        if !isInForce { channel.whenSuccess { $0.close(promise: nil) } }
        return isInForce
    }

    /// Stops watching.
    func stop() {
        exchange()
    }

    /// Stops what a call of `watch` began, unless another has taken its place.
    private func stop(_ round: Int) {
        guard state.withLock({ $0.round == round }) else { return }
        exchange()
    }

    /// Closes the channel and begins a new round.
    @discardableResult
    private func exchange() -> Int {
        let (old, round) = state.withLock { state in
            defer { state.channel = nil }
            state.round += 1
            return (state.channel, state.round)
        }
        old?.whenSuccess { $0.close(promise: nil) }
        return round
    }
}

/// Reads the kernel's events, and tells of those that concern a file.
private final class InotifyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let names: Set<String>
    private let onChange: (_ isGone: Bool) -> Void
    private var concerns = false
    private var isGone = false

    init(names: Set<String>, onChange: @escaping (_ isGone: Bool) -> Void) {
        self.names = names
        self.onChange = onChange
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { buffer in
            var at = 0
            while at < buffer.count {
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

    func channelReadComplete(context: ChannelHandlerContext) {
        guard concerns || isGone else { return }
        defer { (concerns, isGone) = (false, false) }
        onChange(isGone)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
        onChange(true)
    }
}
