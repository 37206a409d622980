// SPDX-License-Identifier: Apache-2.0

import EventStream
import RowtailCore
import Testing

@Suite struct FrameEncoderTests {
    private static func event(_ encoder: FrameEncoder, _ id: String, _ json: String) throws -> String {
        var writer = ByteWriter()
        let start = try encoder.open(#require(EventID(id)), in: &writer)
        writer.write(text: json)
        encoder.close(&writer, from: start)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test(arguments: [
        ("1042", "001c\r\nid: 1042\ndata: {\"id\":1042}\n\n\r\n"),
        ("-5", "001a\r\nid: -5\ndata: {\"id\":1042}\n\n\r\n"),
        ("1042@1", "001e\r\nid: 1042@1\ndata: {\"id\":1042}\n\n\r\n"),
        ("9223372036854775807", "002b\r\nid: 9223372036854775807\ndata: {\"id\":1042}\n\n\r\n"),
    ])
    func `a row is an event in a chunk of its own`(id: String, bytes: String) throws {
        #expect(try Self.event(FrameEncoder(feed: "orders"), id, #"{"id":1042}"#) == bytes)
    }

    @Test func `the event's name comes between id and data`() throws {
        let bytes = try Self.event(FrameEncoder(feed: "orders", event: "order"), "1", "{}")
        #expect(bytes == "001d\r\nid: 1\nevent: order\ndata: {}\n\n\r\n")
    }

    @Test func `events follow each other in one buffer`() {
        let encoder = FrameEncoder(feed: "orders")
        var writer = ByteWriter(capacity: 64)
        var ends: [Int] = []
        for id in Int64(1)...3 {
            let start = encoder.open(EventID(.integer(id), generation: 0), in: &writer)
            writer.write("{}")
            encoder.close(&writer, from: start)
            ends.append(writer.count)
        }
        let one = "0011\r\nid: 1\ndata: {}\n\n\r\n"
        #expect(ends == [1, 2, 3].map { $0 * one.utf8.count })
        #expect(
            ChunkFraming.unframed(writer.bytes)
                == Array("id: 1\ndata: {}\n\nid: 2\ndata: {}\n\nid: 3\ndata: {}\n\n".utf8)
        )
    }

    @Test func `a row too large is replaced by an event that says so`() throws {
        var writer = ByteWriter()
        try FrameEncoder(feed: "orders", event: "order").oversize(
            #require(EventID("7@2")),
            bytes: 2_000_000,
            in: &writer
        )
        let frame = "event: rowtail.oversize\nid: 7@2\ndata: {\"feed\":\"orders\",\"bytes\":2000000}\n\n"
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "0049\r\n\(frame)\r\n")
        #expect(ChunkFraming.unframed(writer.bytes) == Array(frame.utf8))
    }
}

@Suite struct ChunkFramingTests {
    private static func chunk(_ size: Int) -> ByteWriter {
        var writer = ByteWriter(capacity: 64)
        writer.write("before")
        let start = ChunkFraming.open(in: &writer)
        writer.write([UInt8](repeating: UInt8(ascii: "x"), count: size))
        ChunkFraming.close(&writer, from: start)
        return writer
    }

    @Test(arguments: [
        (0, "0000"), (1, "0001"), (0xabc, "0abc"), (0xffff, "ffff"), (0x1_0000, "10000"), (0xf_ffff, "fffff"),
        (0x10_0000, "100000"), (0x123_4567, "1234567"),
    ])
    func `the size line grows with the chunk`(size: Int, digits: String) {
        let writer = Self.chunk(size)
        let text = String(decoding: writer.bytes, as: UTF8.self)
        #expect(text.hasPrefix("before\(digits)\r\n"))
        #expect(text.hasSuffix("\r\n"))
        #expect(writer.count == 6 + digits.utf8.count + 2 + size + 2)
        let chunk = UnsafeRawBufferPointer(rebasing: writer.bytes[6...])
        #expect(ChunkFraming.unframed(chunk) == [UInt8](repeating: UInt8(ascii: "x"), count: size))
    }

    @Test func `a run of chunks of all sizes is taken apart`() {
        var writer = ByteWriter()
        var plain: [UInt8] = []
        for size in [5, 70_000, 0, 1, 65_535, 65_536] {
            let start = ChunkFraming.open(in: &writer)
            // Content that looks like framing must not matter.
            let content = (0..<size).map { UInt8(ascii: $0.isMultiple(of: 2) ? "\r" : "\n") }
            writer.write(content)
            plain += content
            ChunkFraming.close(&writer, from: start)
        }
        #expect(ChunkFraming.unframed(writer.bytes) == plain)
    }

    @Test func `a frame for one client is a chunk`() {
        #expect(ChunkFraming.chunk(": heartbeat\n\n") == "d\r\n: heartbeat\n\n\r\n")
        let text = "id: \u{E9}\n\n"
        Array(ChunkFraming.chunk(text).utf8).withUnsafeBytes {
            #expect(ChunkFraming.unframed($0) == Array(text.utf8))
        }
        #expect(ChunkFraming.end == "0\r\n\r\n")
    }

    @Test func `nothing unframed is nothing`() {
        #expect(ChunkFraming.unframed(UnsafeRawBufferPointer(start: nil, count: 0)) == [])
    }
}

@Suite struct ControlFrameTests {
    private static let reset = Reset(
        reason: .rewound,
        requested: EventID(.integer(9), generation: 0),
        resumedFrom: EventID(.integer(7), generation: 1)
    )

    @Test func `the first frame has retry, a comment and a checkpoint`() {
        let start = EventID(.earliest, generation: 1)
        #expect(
            ControlFrame.first(feed: "orders", retry: 3600, start: start)
                == "retry: 3600\n: rowtail feed orders\nid: earliest@1\n\n"
        )
    }

    @Test func `the first frame of a stream whose start isn't known has no id`() {
        #expect(ControlFrame.first(feed: "orders", retry: 3000, start: nil) == "retry: 3000\n: rowtail feed orders\n\n")
    }

    @Test func `the first frame of a stream that was reset has the id with the event`() {
        #expect(
            ControlFrame.first(feed: "orders", retry: 3000, reset: Self.reset) == """
                retry: 3000
                : rowtail feed orders
                event: rowtail.reset
                id: 7@1
                data: {"feed":"orders","reason":"rewound","requested":"9","resumed_from":"7@1"}


                """
        )
    }

    @Test func `the other frames`() {
        #expect(ControlFrame.checkpoint(EventID(.integer(5), generation: 0)) == "id: 5\n\n")
        #expect(ControlFrame.heartbeat == ": heartbeat\n\n")
        #expect(
            ControlFrame.reset(feed: "orders", Self.reset)
                == "event: rowtail.reset\nid: 7@1\ndata: "
                + #"{"feed":"orders","reason":"rewound","requested":"9","resumed_from":"7@1"}"# + "\n\n"
        )
        #expect(
            ControlFrame.end(.limit, id: "5")
                == "event: rowtail.end\nid: 5\ndata: {\"reason\":\"limit\"}\n\n"
        )
        #expect(ControlFrame.end(.drain, id: nil) == "event: rowtail.end\ndata: {\"reason\":\"drain\"}\n\n")
    }

    @Test func `reasons have the names of the contract`() {
        #expect(ResetReason.allCases.map(\.rawValue) == ["rewound", "replaced", "pruned", "ahead", "generation"])
        #expect(
            EndReason.allCases.map(\.rawValue) == ["limit", "head", "drain", "age", "reset", "reload", "unauthorized"]
        )
    }
}
