// SPDX-License-Identifier: Apache-2.0

import StreamProbe
import Testing

@Suite struct FrameParserTests {
    private func frames(_ pieces: [String]) -> [ReceivedFrame] {
        var parser = FrameParser()
        return pieces.enumerated().flatMap { number, piece in
            parser.take(piece.utf8, at: .seconds(number), read: number)
        }
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func `a stream is taken apart whichever way its lines end`(_ end: String) {
        let text = ["retry: 3000", ": rowtail feed orders", "id: 7", "", "id:8", "event: x", "data: {}", "", ""]
        let found = frames([text.joined(separator: end)])
        #expect(found.map(\.id) == ["7", "8"])
        #expect(found[0].isGreeting && found[0].isCheckpoint && !found[0].isEvent)
        #expect(found[1].isEvent && found[1].event == "x" && found[1].data == "{}")
    }

    @Test func `a frame in pieces knows when its first and last byte came`() {
        let found = frames(["id: 7\n\nid", ": 8\ndata: 1", "\r", "\n\r\n: heartbeat\n\n"])
        #expect(found.map(\.id) == ["7", "8", nil])
        #expect(found[1].began == .zero && found[1].ended == .seconds(3))
        #expect(found[1].firstRead == 0 && found[1].lastRead == 3)
        #expect(found[2].isHeartbeat && found[2].firstRead == 3)
    }

    @Test func `of a long line only the beginning is kept`() {
        let found = frames(["data: \(String(repeating: "x", count: 1 << 20))\nid: 7\n\n"])
        #expect(found.map(\.id) == ["7"])
        #expect((found.first?.data?.utf8.count ?? 0) < 5000)
    }

    @Test func `the first frame is known by its comment, for one feed and for several`() {
        let found = frames([": rowtail feed a\n\n: rowtail feeds a,b\nid: a:1,b:2\n\n: rowtail\n\n"])
        #expect(found.map(\.isGreeting) == [true, true, false])
    }

    @Test func `words of the daemon are no events`() {
        let found = frames([
            "event: rowtail.reset\nid: 1\ndata: {}\n\n",
            "event: rowtail.end\ndata: {}\n\n",
            "event: rowtail.oversize\nid: 2\ndata: {}\n\n",
        ])
        #expect(found.map(\.isEvent) == [false, false, true])
        #expect(found.map(\.isReset) == [true, false, false])
    }
}
