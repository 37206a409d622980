// SPDX-License-Identifier: Apache-2.0

import EventStream
import Testing

@Suite
struct CombinedFramesTests {
    private func rewritten(
        _ frames: inout CombinedFrames,
        _ text: String,
        ofFeed index: Int = 0,
        limit: Int = .max
    ) -> (text: String, events: Int, dropped: Int) {
        var text = text
        let result = text.withUTF8 { frames.rewrite(.init($0), ofFeed: index, limit: limit) }
        return (String(decoding: result.bytes, as: UTF8.self), result.events, result.dropped)
    }

    @Test(
        arguments: [
            ("id: 2\ndata: {\"a\":1}\n\n", "id: a:2,b:7\nevent: a\ndata: {\"a\":1}\n\n", 1),
            ("id: 2@1\nevent: named\ndata: {}\n\n", "id: a:2@1,b:7\nevent: a\ndata: {}\n\n", 1),
            ("id: 2\n\n", "id: a:2,b:7\n\n", 0),
            (": heartbeat\n\n", ": heartbeat\n\n", 0),
            ("id: 2\n\n: heartbeat\n\n", "id: a:2,b:7\n\n: heartbeat\n\n", 0),
            (
                "event: rowtail.oversize\nid: 3\ndata: {\"feed\":\"a\"}\n\n",
                "event: rowtail.oversize\nid: a:3,b:7\ndata: {\"feed\":\"a\"}\n\n", 1
            ),
            (
                "event: rowtail.reset\nid: 1@1\ndata: {}\n\n", "event: rowtail.reset\nid: a:1@1,b:7\ndata: {}\n\n", 0
            ),
            ("event: rowtail.end\ndata: {}\n\n", "event: rowtail.end\ndata: {}\n\n", 0),
            // What looks like a field inside the data stays what it is.
            ("id: 2\ndata: {\"x\":\"id: 9\"}\n\n", "id: a:2,b:7\nevent: a\ndata: {\"x\":\"id: 9\"}\n\n", 1),
        ]
    )
    func `ids become those of all feeds, and rows are named by their feed`(_ from: String, _ to: String, _ events: Int)
    {
        var frames = CombinedFrames(feeds: ["a", "b"], ids: ["1", "7"])
        let result = rewritten(&frames, from)
        #expect(result.text == to)
        #expect(result.events == events)
    }

    @Test func `past the limit events are left out and positions stay`() {
        var frames = CombinedFrames(feeds: ["a", "b"], ids: ["", ""])
        #expect(frames.id == nil)
        let three = (1...3).map { "id: \($0)\ndata: \($0)\n\n" }.joined()
        let result = rewritten(&frames, three, ofFeed: 1, limit: 2)
        #expect(result.text == "id: a:,b:1\nevent: b\ndata: 1\n\nid: a:,b:2\nevent: b\ndata: 2\n\n")
        #expect(result.events == 2 && result.dropped == 1)
        #expect(frames.id == "a:,b:2")
    }

    @Test func `past the limit a break that is told among the rows doesn't pass them over`() {
        var frames = CombinedFrames(feeds: ["a", "b"], ids: ["", ""])
        let reset = "event: rowtail.reset\nid: 3@1\ndata: {}\n\n"
        let result = rewritten(&frames, "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n\(reset)", limit: 1)
        #expect(result.text == "id: a:1,b:\nevent: a\ndata: 1\n\n")
        #expect(frames.id == "a:1,b:")
    }
}
