// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

/// A stream and the view it follows, driven one step at a time.
struct Stream {
    var view: FeedView
    var state: SubscriberState

    init(
        after start: Position = .earliest,
        generation: Int = 0,
        limit: Int? = nil,
        until: Position? = nil,
        policy: ResetPolicy = .earliest,
        tailBytes: Int = .max
    ) {
        view = FeedView(tailBytes: tailBytes)
        state = SubscriberState(
            start: EventID(start, generation: generation),
            limit: limit,
            until: until,
            policy: policy
        )
    }

    /// The next step in words.
    mutating func next() -> String {
        switch state.next(in: view) {
        case .wait: "wait"
        case .send(let slice): "send \(slice.segment.text(slice.bytes)) through \(slice.through)"
        case .read(let after, let through): "read after \(after) through \(through)"
        case .reset(let reset): "reset \(reset.reason) \(reset.requested) -> \(reset.resumedFrom)"
        case .end(let reason): "end \(reason)"
        }
    }

    /// Does what the next step says, all of it, and gives it in words.
    mutating func step() -> String {
        let words = next()
        switch state.next(in: view) {
        case .send(let slice): state.sent(slice, events: slice.events.count)
        case .read: state.requestedPage()
        case .reset(let reset): state.wasReset(reset, in: view)
        case .wait, .end: break
        }
        return words
    }

    /// Sends only the first events of what is next.
    mutating func send(_ events: Int) {
        guard case .send(let slice) = state.next(in: view) else {
            Issue.record("there is nothing to send")
            return
        }
        state.sent(slice, events: events)
    }

    mutating func publish(after: Int64, _ ids: [Int64], through: Int64? = nil) {
        view.apply(.segment(Segment(after: after, ids: ids, through: through, generation: view.history.current)))
    }

    mutating func begin(base: Int64?, head: Int64) {
        var history = view.history
        history.advance(base: base.map(Position.integer))
        view.apply(.generation(history, head: .integer(head)))
    }
}

@Suite struct SubscriberStateTests {
    @Test func `a stream at the head waits, then sends what comes`() {
        var stream = Stream(after: .integer(5))
        stream.view.apply(.advanced(.integer(5)))
        #expect(stream.step() == "wait")
        stream.publish(after: 5, [6, 7])
        #expect(stream.step() == "send 6;7; through 7")
        #expect(stream.step() == "wait")
        #expect(stream.state.isLive(in: stream.view))
    }

    @Test func `a stream inside the tail begins in the middle of a segment`() {
        var stream = Stream(after: .integer(6))
        stream.view.apply(.segment(Segment(after: .earliest, ids: [5, 6, 7, 8])))
        stream.publish(after: 8, [9])
        #expect(stream.step() == "send 7;8; through 8")
        #expect(stream.step() == "send 9; through 9")
        #expect(stream.step() == "wait")
    }

    @Test func `what a socket took of a slice is not sent again`() {
        var stream = Stream()
        stream.view.apply(.segment(Segment(after: .earliest, ids: [1, 2, 3], through: 9)))
        stream.send(0)
        #expect(stream.state.position == .earliest)
        stream.send(2)
        #expect(stream.state.position == .integer(2))
        #expect(stream.state.told.description == "2")
        stream.send(1)
        #expect(stream.state.position == .integer(9))
        #expect(stream.next() == "wait")
    }

    @Test func `replay joins the tail without a gap or a duplicate`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(4)))
        stream.publish(after: 4, [5, 6])
        #expect(!stream.state.isLive(in: stream.view))
        #expect(stream.step() == "read after earliest through 4")
        #expect(stream.step() == "wait")
        stream.publish(after: 6, [7])
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3], through: 3))
        #expect(stream.step() == "send 1;2;3; through 3")
        #expect(stream.step() == "read after 3 through 4")
        stream.state.received(Segment(after: 3, ids: [4]))
        #expect(stream.step() == "send 4; through 4")
        #expect(stream.step() == "send 5;6; through 6")
        #expect(stream.step() == "send 7; through 7")
        #expect(stream.step() == "wait")
    }

    @Test func `a page that overlaps the tail is followed by what is not in it`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(2)))
        #expect(stream.step() == "read after earliest through 2")
        stream.publish(after: 2, [3, 4])
        // Another subscriber had asked for more.
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3]))
        #expect(stream.step() == "send 1;2;3; through 3")
        #expect(stream.step() == "send 4; through 4")
        #expect(stream.step() == "wait")
    }

    @Test func `a page that goes past the known head is sent once`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(2)))
        #expect(stream.step() == "read after earliest through 2")
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3, 4]))
        #expect(stream.step() == "send 1;2;3;4; through 4")
        #expect(stream.step() == "wait")
        stream.publish(after: 2, [3, 4, 5])
        #expect(stream.step() == "send 5; through 5")
    }

    @Test func `the rest of a page is sent after a part of it`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(9)))
        #expect(stream.step() == "read after earliest through 9")
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3], through: 9))
        stream.send(1)
        #expect(stream.step() == "send 2;3; through 9")
        #expect(stream.step() == "wait")
    }

    @Test func `a page let go of is read again from where the stream is`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(9)))
        _ = stream.step()
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3], through: 9))
        stream.send(1)
        stream.state.releasePage()
        #expect(stream.step() == "read after 1 through 9")
    }

    @Test func `a page that could not be read is asked for again`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(9)))
        #expect(stream.step() == "read after earliest through 9")
        stream.state.received(nil)
        #expect(stream.step() == "read after earliest through 9")
    }

    @Test func `a page whose rows the tail served meanwhile is not kept`() {
        var stream = Stream()
        stream.view.apply(.advanced(.integer(2)))
        #expect(stream.step() == "read after earliest through 2")
        stream.view.apply(.segment(Segment(after: .earliest, ids: [1, 2])))
        #expect(stream.step() == "send 1;2; through 2")
        stream.state.received(Segment(after: .earliest, ids: [1, 2]))
        #expect(stream.step() == "wait")
    }

    @Test func `a tail that moved on is met where it begins now`() {
        let each = Segment(after: 0, ids: [1]).footprint
        var stream = Stream(tailBytes: 2 * each)
        stream.view.apply(.generation(GenerationHistory(), head: .earliest))
        for id in Int64(1)...6 {
            stream.publish(after: id - 1, [id])
        }
        #expect(stream.step() == "read after earliest through 4")
        stream.publish(after: 6, [7])
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3, 4]))
        #expect(stream.step() == "send 1;2;3;4; through 4")
        #expect(stream.step() == "read after 4 through 5")
    }

    // MARK: - Ends

    @Test(arguments: [1, 2, 3, 4])
    func `a limit ends the stream after so many events`(limit: Int) {
        var stream = Stream(limit: limit)
        stream.view.apply(.segment(Segment(after: .earliest, ids: [1, 2], through: 5)))
        stream.publish(after: 5, [6, 7], through: 9)
        var sent = ""
        while case let words = stream.step(), words != "end limit" {
            guard words.hasPrefix("send") else {
                Issue.record("\(words)")
                return
            }
            sent += words.split(separator: " ")[1]
        }
        #expect(sent == ["1;", "2;", "6;", "7;"].prefix(limit).joined())
        #expect(stream.state.remaining == 0)
        // Where the stream stands is the last event, not what was passed over after it, which would be skipped on resume.
        let last = [1, 2, 6, 7].prefix(limit).last ?? 0
        #expect(stream.state.told.description == "\(last)")
    }

    @Test func `a limit holds for pages as for the tail`() {
        var stream = Stream(limit: 2)
        stream.view.apply(.advanced(.integer(9)))
        _ = stream.step()
        stream.state.received(Segment(after: .earliest, ids: [1, 2, 3], through: 9))
        #expect(stream.step() == "send 1;2; through 2")
        #expect(stream.step() == "end limit")
    }

    @Test(arguments: [
        (Int64(2), "send 1;2; through 2"), (4, "send 1;2; through 4"), (6, "send 1;2; through 5"),
    ])
    func `a stream until a head ends there`(until: Int64, first: String) {
        var stream = Stream(until: .integer(until))
        stream.view.apply(.segment(Segment(after: .earliest, ids: [1, 2], through: 5)))
        stream.publish(after: 5, [6, 7])
        #expect(stream.step() == first)
        if until == 6 { #expect(stream.step() == "send 6; through 6") }
        #expect(stream.step() == "end head")
        #expect(stream.state.position == .integer(until))
    }

    @Test func `a stream until a head reads no further`() {
        var stream = Stream(until: .integer(3))
        stream.view.apply(.advanced(.integer(100)))
        #expect(stream.step() == "read after earliest through 3")
    }

    @Test func `a stream until a head that it has reached ends at once`() {
        var stream = Stream(after: .integer(3), until: .integer(3))
        stream.view.apply(.advanced(.integer(3)))
        #expect(stream.step() == "end head")
    }

    // MARK: - Checkpoints

    @Test func `rows passed over need a checkpoint`() {
        var stream = Stream()
        stream.view.apply(.segment(Segment(after: .earliest, ids: [1], through: 5)))
        #expect(!stream.state.needsCheckpoint)
        _ = stream.step()
        #expect(stream.state.needsCheckpoint)
        #expect(stream.state.id.description == "5")
        stream.state.checkpointed()
        #expect(!stream.state.needsCheckpoint)
        stream.publish(after: 5, [], through: 9)
        #expect(stream.step() == "send  through 9")
        #expect(stream.state.needsCheckpoint)
        stream.publish(after: 9, [10])
        _ = stream.step()
        #expect(!stream.state.needsCheckpoint)
    }

    @Test func `a stream that goes on exactly in a new generation needs a checkpoint and no reset`() {
        var stream = Stream(after: .integer(5))
        stream.begin(base: 7, head: 7)
        #expect(stream.next() == "read after 5 through 7")
        #expect(stream.state.id.description == "5@1")
        #expect(stream.state.needsCheckpoint)
    }
}
