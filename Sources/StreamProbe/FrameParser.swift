// SPDX-License-Identifier: Apache-2.0

/// Takes a stream's bytes as they come and makes frames of them, each with its times.
///
/// It keeps the first 4 KiB of a line: ids are shorter (design: 1 KiB), and rows are not looked at.
package struct FrameParser: Sendable {
    private static let keptOfLine = 4096

    private var frame: ReceivedFrame?
    private var line: [UInt8] = []
    private var endedByReturn = false
    /// When the bytes before those of this read came.
    private var previous = Duration.zero

    /// A parser at the beginning of a stream.
    package init() {}

    /// Whether a frame has begun and its end didn't come yet.
    package var isInsideFrame: Bool { frame != nil }

    /// Takes bytes that came in one read.
    ///
    /// - Returns: The frames that end in them.
    package mutating func take(
        _ bytes: some Sequence<UInt8>,
        at time: Duration,
        read: Int
    ) -> [ReceivedFrame] {
        var done: [ReceivedFrame] = []
        if let gap = frame?.longestGap { frame?.longestGap = max(gap, time - previous) }
        previous = time
        for byte in bytes {
            let isSecondOfPair = endedByReturn && byte == UInt8(ascii: "\n")
            endedByReturn = byte == UInt8(ascii: "\r")
            if isSecondOfPair { continue }
            guard byte == UInt8(ascii: "\n") || endedByReturn else {
                begin(at: time, read: read)
                if line.count < Self.keptOfLine { line.append(byte) }
                continue
            }
            guard line.isEmpty else {
                takeLine()
                continue
            }
            guard var finished = frame else { continue }
            finished.ended = time
            finished.lastRead = read
            done.append(finished)
            frame = nil
        }
        return done
    }

    private mutating func begin(at time: Duration, read: Int) {
        guard frame == nil else { return }
        var begun = ReceivedFrame()
        begun.began = time
        begun.firstRead = read
        frame = begun
    }

    private mutating func takeLine() {
        let text = String(decoding: line, as: UTF8.self)
        line.removeAll(keepingCapacity: true)
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = parts.count > 1 ? parts[1] : ""
        let value = String(rest.first == " " ? rest.dropFirst() : rest)
        switch parts[0] {
        case "": frame?.comments.append(value)
        case "id": frame?.id = value
        case "event": frame?.event = value
        case "data": frame?.data = value
        default: break
        }
    }
}
