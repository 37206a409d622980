// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
package import NIOPosix

/// A client as browsers are: follows a feed, reconnects when it is cut off, and resumes with the last id it has.
///
/// Quick even in a debug build, for tests with many of them.
package final class StreamFollower: Sendable {
    /// What it got so far, over all of its connections.
    package struct State: Sendable, CustomStringConvertible {
        /// The id of each row, in the order in which they came.
        package var rows: [Int64] = []
        /// The first id it was told, which is where it began.
        package var firstID: String?
        /// The id that it resumes with.
        package var lastID: String?
        /// Each event that is no row, with its data.
        package var controls: [(event: String, data: String)] = []
        /// How many connections got an answer.
        package var connections = 0
        /// How many streams ended with their final chunk.
        package var orderlyEnds = 0
        /// Rows whose event id or data contradict each other, and statuses that are not 200.
        package var faults: [String] = []
        /// Whether a stream is open.
        package var isOpen = false

        /// What matters in a message.
        package var description: String {
            "\(rows.count) rows, first \(rows.first ?? -1), last \(rows.last ?? -1), began at \(firstID ?? "-"), "
                + "has \(lastID ?? "-"), \(connections) connections, controls \(controls.suffix(3)), faults \(faults)"
        }
    }

    /// What it got so far.
    package let state = Watched(State())

    private let port: Int
    private let path: String
    private let group: MultiThreadedEventLoopGroup

    /// A follower that isn't connected yet, and may hold an id already.
    package init(
        port: Int,
        _ path: String,
        lastEventID: String? = nil,
        group: MultiThreadedEventLoopGroup = .singleton
    ) {
        self.port = port
        self.path = path
        self.group = group
        state.update { $0.lastID = lastEventID }
    }

    /// Connects and reads until the stream ends, a certain row came, or so many bytes did; the rest is then lost.
    ///
    /// - Returns: Whether there was an answer.
    @discardableResult
    package func connect(until last: Int64? = nil, cutAfter: Int? = nil) async -> Bool {
        let (state, lastID, before) = (state, state.value.lastID, state.value.connections)
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.seconds(20))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = FollowerHandler(state, last: last, budget: cutAfter ?? .max)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        guard let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port).get() else { return false }
        let field = lastID.map { "Last-Event-ID: \($0)\r\n" } ?? ""
        let request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n"
        await withTaskCancellationHandler {
            try? await channel.writeAndFlush(ByteBuffer(string: request)).get()
            try? await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        return state.value.connections > before
    }

    /// Connects again and again until it has a row, or the task is cancelled.
    ///
    /// `cut` says after how many bytes the next connection is cut.
    package func follow(
        to last: Int64,
        retry: Duration = .milliseconds(50),
        cut: () -> Int? = { nil }
    ) async {
        while !Task.isCancelled, state.value.rows.last != last {
            if state.value.connections > 0 { try? await ContinuousClock().sleep(for: retry) }
            if await !connect(until: last, cutAfter: cut()) { try? await ContinuousClock().sleep(for: retry) }
        }
    }
}

/// Takes a stream apart, byte by byte as it comes.
private final class FollowerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// What the next bytes are.
    private enum Part {
        case head
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case over
    }

    private let state: Watched<StreamFollower.State>
    private let last: Int64?
    private var budget: Int
    private var part = Part.head
    private var line: [UInt8] = []
    private var isStatusLine = true
    private var id: String?
    private var event: String?
    private var data: [UInt8]?

    init(_ state: Watched<StreamFollower.State>, last: Int64?, budget: Int) {
        self.state = state
        self.last = last
        self.budget = budget
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let isOver = state.update { state in
            buffer.withUnsafeReadableBytes { bytes in
                take(UnsafeRawBufferPointer(rebasing: bytes.prefix(budget)), &state)
            }
            budget -= min(budget, buffer.readableBytes)
            if case .over = part { return true }
            return budget == 0 || (last != nil && state.rows.last == last)
        }
        // What came after is lost, as the client is gone.
        if isOver { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.update { $0.isOpen = false }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ state: inout StreamFollower.State) {
        var at = 0
        while at < bytes.count {
            switch part {
            case .over:
                return
            case .head, .chunkSize, .chunkEnd:
                guard let text = takeLine(bytes, &at, end: bytes.count) else { return }
                takeFraming(text, &state)
            case .chunk(var left):
                let end = min(bytes.count, at + left)
                left -= end - at
                while at < end {
                    guard let text = takeLine(bytes, &at, end: end) else { break }
                    takeField(text, &state)
                    // A client that has what it wants reads no further.
                    if let last, state.rows.last == last { return }
                }
                part = left > 0 ? .chunk(left: left) : .chunkEnd
            }
        }
    }

    /// The next line without its end; `nil` when it isn't whole yet.
    private func takeLine(_ bytes: UnsafeRawBufferPointer, _ at: inout Int, end: Int) -> [UInt8]? {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[at..<end])
        guard let start = rest.baseAddress, let found = memchr(start, 0x0A, rest.count) else {
            line.append(contentsOf: rest)
            at = end
            return nil
        }
        let length = UnsafeRawPointer(found) - start
        line.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<length]))
        at += length + 1
        if line.last == 0x0D { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        return line
    }

    private func takeFraming(_ text: [UInt8], _ state: inout StreamFollower.State) {
        switch part {
        case .head where isStatusLine:
            isStatusLine = false
            state.connections += 1
            let status = String(decoding: text, as: UTF8.self)
            if !status.hasPrefix("HTTP/1.1 200") { state.faults.append(status) }
        case .head where text.isEmpty:
            part = .chunkSize
            state.isOpen = true
        case .chunkSize:
            let size = Int(String(decoding: text, as: UTF8.self), radix: 16)
            if let size, size > 0 {
                part = .chunk(left: size)
            } else {
                if size == 0 { state.orderlyEnds += 1 } else { state.faults.append("chunk size \(text)") }
                part = .over
            }
        case .chunkEnd:
            if !text.isEmpty { state.faults.append("chunk end \(text)") }
            part = .chunkSize
        default:
            break
        }
    }

    private func takeField(_ text: [UInt8], _ state: inout StreamFollower.State) {
        guard !text.isEmpty else {
            dispatch(&state)
            return
        }
        if text.starts(with: Self.dataField) {
            data = Array(text.dropFirst(Self.dataField.count))
        } else if text.starts(with: Self.idField) {
            id = String(decoding: text.dropFirst(Self.idField.count), as: UTF8.self)
        } else if text.starts(with: Self.eventField) {
            event = String(decoding: text.dropFirst(Self.eventField.count), as: UTF8.self)
        }
    }

    private static let dataField = Array("data: ".utf8)
    private static let idField = Array("id: ".utf8)
    private static let eventField = Array("event: ".utf8)
    private static let rowStart = Array("{\"id\":".utf8)

    private func dispatch(_ state: inout StreamFollower.State) {
        defer { (id, event, data) = (nil, nil, nil) }
        if let id {
            state.lastID = id
            if state.firstID == nil { state.firstID = id }
        }
        guard let data else { return }
        if let event {
            state.controls.append((event, String(decoding: data, as: UTF8.self)))
            return
        }
        var row: Int64 = 0
        if data.starts(with: Self.rowStart) {
            for byte in data.dropFirst(Self.rowStart.count) {
                guard byte >= 0x30, byte <= 0x39 else { break }
                row = row * 10 + Int64(byte - 0x30)
            }
        }
        if id.map({ $0 != "\(row)" && !$0.hasPrefix("\(row)@") }) ?? true || data.last != 0x7D {
            state.faults.append("id \(id ?? "-") with \(String(decoding: data, as: UTF8.self))")
        }
        state.rows.append(row)
    }
}
