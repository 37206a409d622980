// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@Suite struct SubscriberResetTests {
    /// A stream that was sent the rows 1 to 10.
    private static func live(policy: ResetPolicy = .earliest, until: Position? = nil) -> Stream {
        var stream = Stream(until: until, policy: policy)
        stream.view.apply(.segment(Segment(after: .earliest, ids: Array(1...10))))
        _ = stream.step()
        return stream
    }

    @Test(arguments: ResetPolicy.allCases)
    func `rows that went away rewind a live stream to the base`(policy: ResetPolicy) {
        var stream = Self.live(policy: policy)
        stream.begin(base: 7, head: 8)
        #expect(stream.step() == "reset rewound 10 -> 7@1")
        #expect(!stream.state.needsCheckpoint)
        #expect(stream.step() == (policy == .fail ? "end reset" : "read after 7 through 8"))
    }

    @Test(arguments: [
        (ResetPolicy.earliest, "reset replaced 10 -> earliest@1", "read after earliest through 20"),
        (.latest, "reset replaced 10 -> 20@1", "wait"),
        (.fail, "reset replaced 10 -> earliest@1", "end reset"),
    ])
    func `a replaced file sends a live stream where its policy says`(policy: ResetPolicy, first: String, then: String) {
        var stream = Self.live(policy: policy)
        stream.begin(base: nil, head: 20)
        #expect(stream.step() == first)
        #expect(stream.step() == then)
    }

    @Test func `several breaks at once are one reset`() {
        var stream = Self.live()
        stream.begin(base: 7, head: 8)
        stream.begin(base: 3, head: 4)
        stream.begin(base: 4, head: 9)
        #expect(stream.step() == "reset rewound 10 -> 3@3")
    }

    @Test func `a replaced file counts over a rewind before and after it`() {
        var stream = Self.live()
        stream.begin(base: 7, head: 8)
        stream.begin(base: nil, head: 9)
        stream.begin(base: 5, head: 9)
        #expect(stream.step() == "reset replaced 10 -> earliest@3")
    }

    @Test func `the reset names the last id the client was told, not where the stream is`() {
        var stream = Self.live()
        stream.publish(after: 10, [], through: 15)
        _ = stream.step()
        stream.begin(base: 7, head: 8)
        #expect(stream.step() == "reset rewound 10 -> 7@1")
    }

    @Test func `a stream behind the base goes on without a reset`() {
        var stream = Stream(after: .integer(5))
        stream.view.apply(.advanced(.integer(10)))
        #expect(stream.step() == "read after 5 through 10")
        stream.begin(base: 7, head: 8)
        #expect(stream.step() == "wait")
        // The page asked for before belongs to the generation before.
        stream.state.received(Segment(after: 5, ids: [6, 7, 8, 9, 10]))
        #expect(stream.step() == "read after 5 through 8")
        stream.state.received(Segment(after: 5, ids: [6, 7, 8], generation: 1))
        #expect(stream.step() == "send 6@1;7@1;8@1; through 8")
    }

    @Test func `a page kept from before the break is not sent`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(10)))
        _ = stream.step()
        stream.state.received(Segment(after: .earliest, ids: Array(1...10)))
        stream.send(5)
        stream.begin(base: 7, head: 8)
        #expect(stream.step() == "read after 5 through 8")
    }

    @Test func `a page of the generation before is dropped after a reset`() {
        var stream = Stream(after: .integer(9))
        stream.view.apply(.advanced(.integer(10)))
        #expect(stream.step() == "read after 9 through 10")
        stream.begin(base: 7, head: 20)
        #expect(stream.step() == "reset rewound 9 -> 7@1")
        stream.state.received(Segment(after: 9, ids: [10]))
        #expect(stream.step() == "read after 7 through 20")
    }

    @Test func `a stream whose generation the view doesn't know starts over`() {
        var stream = Stream(after: .integer(5), generation: 3)
        stream.view.apply(.advanced(.integer(10)))
        #expect(stream.step() == "reset generation 5@3 -> earliest")
        #expect(stream.step() == "read after earliest through 10")
    }

    @Test func `the end that a stream waits for moves back with the head`() {
        var stream = Stream(until: .integer(20))
        stream.view.apply(.segment(Segment(after: .earliest, ids: Array(1...10))))
        _ = stream.step()
        stream.begin(base: 7, head: 8)
        #expect(stream.step() == "reset rewound 10 -> 7@1")
        #expect(stream.step() == "read after 7 through 8")
        stream.state.received(Segment(after: 7, ids: [8], generation: 1))
        #expect(stream.step() == "send 8@1; through 8")
        #expect(stream.step() == "end head")
    }

    @Test func `an emptied table ends a stream that waits for a head`() {
        var stream = Self.live(until: .integer(20))
        var history = stream.view.history
        history.advance(base: .earliest)
        stream.view.apply(.generation(history, head: .earliest))
        #expect(stream.step() == "reset rewound 10 -> earliest@1")
        #expect(stream.step() == "end head")
    }
}
