// SPDX-License-Identifier: Apache-2.0

/// Rewrites the frames of single feeds for a stream of several: every id names the position of each feed, and a row's
/// event carries the name of its feed.
///
/// It knows frames as this module writes them: fields one to a line, `data` last, an empty line after each frame.
package struct CombinedFrames: Sendable {
    /// What a rewrite comes to.
    package struct Rewritten: Sendable {
        /// The frames.
        package var bytes: [UInt8] = []

        /// How many events they have, those that only tell of a break or an end aside.
        package var events = 0

        /// How many events were left out, as they are past the limit.
        package var dropped = 0
    }

    /// The names of the feeds, in the order of the request.
    package let feeds: [String]

    private let eventLines: [[UInt8]]
    private var ids: [[UInt8]]

    /// Starts where a stream starts.
    ///
    /// - Parameters:
    ///   - feeds: The names of the feeds, in the order of the request.
    ///   - ids: The text of the id that the client holds for each of them, empty for none.
    package init(feeds: [String], ids: [String]) {
        self.feeds = feeds
        self.ids = ids.map { Array($0.utf8) }
        eventLines = feeds.map { Array("event: \($0)\n".utf8) }
    }

    /// The id that stands for where all feeds are; `nil` while nothing is known of any.
    package var id: String? {
        guard ids.contains(where: { !$0.isEmpty }) else { return nil }
        return CombinedID.text(zip(feeds, ids).map { (feed: $0, id: String(decoding: $1, as: UTF8.self)) })
    }

    /// Rewrites a frame.
    package mutating func rewrite(_ frame: String, ofFeed index: Int) -> String {
        var frame = frame
        return String(decoding: frame.withUTF8 { rewrite(.init($0), ofFeed: index).bytes }, as: UTF8.self)
    }

    /// Rewrites whole frames, and takes note of their ids.
    ///
    /// - Parameters:
    ///   - frames: Frames of one feed, without chunk framing.
    ///   - index: The place of the feed in the request.
    ///   - limit: How many events may follow; those past it are left out, and their ids count for nothing.
    /// - Returns: The frames as they go out.
    package mutating func rewrite(
        _ frames: UnsafeRawBufferPointer,
        ofFeed index: Int,
        limit: Int = .max
    ) -> Rewritten {
        var result = Rewritten()
        result.bytes.reserveCapacity(frames.count + frames.count / 4)
        var rest = frames[...]
        while !rest.isEmpty {
            rewriteFrame(&rest, ofFeed: index, limit: limit, &result)
        }
        return result
    }

    private mutating func rewriteFrame(
        _ rest: inout Slice<UnsafeRawBufferPointer>,
        ofFeed index: Int,
        limit: Int,
        _ result: inout Rewritten
    ) {
        let (before, idBefore) = (result.bytes.count, ids[index])
        var name: Slice<UnsafeRawBufferPointer>?
        var isEvent = false
        while let line = Self.takeLine(&rest), !line.isEmpty {
            if let value = Self.value(of: line, "id: ") {
                ids[index] = Array(value)
                result.bytes += "id: ".utf8
                appendID(to: &result.bytes)
                result.bytes.append(UInt8(ascii: "\n"))
            } else if let value = Self.value(of: line, "event: ") {
                // Of the names that a feed may have none begins like that, nor that its configuration gives its events.
                guard value.starts(with: "rowtail.".utf8) else { continue }
                name = value
                Self.append(line, to: &result.bytes)
            } else {
                if line.starts(with: "data: ".utf8) {
                    isEvent = true
                    if name == nil { result.bytes += eventLines[index] }
                }
                Self.append(line, to: &result.bytes)
            }
        }
        result.bytes.append(UInt8(ascii: "\n"))
        guard isEvent else { return }
        // A break that is told in its place among the rows as well: its id lies past those that were left out.
        guard result.events < limit else {
            result.bytes.removeSubrange(before...)
            ids[index] = idBefore
            result.dropped += 1
            return
        }
        if let name, name.elementsEqual("rowtail.reset".utf8) || name.elementsEqual("rowtail.end".utf8) { return }
        result.events += 1
    }

    private func appendID(to bytes: inout [UInt8]) {
        for (index, feed) in feeds.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += feed.utf8
            bytes.append(UInt8(ascii: ":"))
            bytes += ids[index]
        }
    }

    private static func append(_ line: Slice<UnsafeRawBufferPointer>, to bytes: inout [UInt8]) {
        bytes += line
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func takeLine(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer>? {
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
            rest = rest[rest.endIndex...]
            return nil
        }
        defer { rest = rest[(end + 1)...] }
        return rest[..<end]
    }

    private static func value(
        of line: Slice<UnsafeRawBufferPointer>,
        _ field: StaticString
    ) -> Slice<UnsafeRawBufferPointer>? {
        let field = UnsafeRawBufferPointer(start: field.utf8Start, count: field.utf8CodeUnitCount)
        return line.starts(with: field) ? line.dropFirst(field.count) : nil
    }
}
