// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

@Suite struct SegmentTests {
    private static let segment = Segment(after: 10, ids: [12, 15, 20], through: 25)

    @Test(arguments: [
        (Position.earliest, 0), (.integer(5), 0), (.integer(10), 0), (.integer(11), 0), (.integer(12), 1),
        (.integer(14), 1), (.integer(15), 2), (.integer(19), 2), (.integer(20), 3), (.integer(25), 3),
        (.integer(.max), 3),
    ])
    func `the first event after a position is found`(position: Position, index: Int) {
        #expect(Self.segment.firstEvent(after: position) == index)
    }

    @Test func `events are found by their offsets`() {
        #expect((0...3).map(Self.segment.offset(ofEvent:)) == [0, 3, 6, 9])
        #expect(Self.segment.text(3..<6) == "15;")
        #expect(Self.segment.text(0..<9) == "12;15;20;")
    }

    @Test func `a segment of passed-over rows has no events`() {
        let segment = Segment(after: 10, ids: [], through: 25)
        #expect(segment.firstEvent(after: .integer(10)) == 0)
        #expect(segment.offset(ofEvent: 0) == 0)
        #expect(segment.bytes.isEmpty)
        #expect(segment.through == .integer(25))
    }

    @Test func `the footprint covers bytes and index`() {
        #expect(Self.segment.footprint >= 9 + 3 * MemoryLayout<Segment.Event>.size)
        #expect(Segment(after: 0, ids: []).footprint > 0)
    }
}

@Suite struct TailTests {
    private static func tail(bound: Int = .max, _ segments: Segment...) -> Tail {
        var tail = Tail(bound: bound)
        for segment in segments {
            tail.append(segment)
        }
        return tail
    }

    @Test func `an empty tail holds nothing`() {
        let tail = Self.tail()
        #expect(tail.start == nil)
        #expect(tail.index(after: .earliest) == nil)
        #expect(tail.index(after: .integer(5)) == nil)
    }

    @Test(
        arguments: [
            (Position.earliest, nil), (.integer(9), nil), (.integer(10), 0), (.integer(14), 0), (.integer(15), 1),
            (.integer(20), 2), (.integer(24), 2), (.integer(29), 2), (.integer(30), 3), (.integer(39), 3),
            (.integer(40), nil), (.integer(50), nil),
        ] as [(Position, Int?)]
    )
    func `a position is looked up in the segment that goes on after it`(position: Position, index: Int?) {
        let tail = Self.tail(
            Segment(after: 10, ids: [11, 15]),
            Segment(after: 15, ids: [16, 20]),
            Segment(after: 20, ids: [], through: 30),
            Segment(after: 30, ids: [31], through: 40)
        )
        #expect(tail.start == .integer(10))
        #expect(tail.index(after: position) == index)
    }

    @Test func `the oldest segments go when the bound is reached`() {
        let each = Segment(after: 0, ids: [1]).footprint
        var tail = Tail(bound: 3 * each + each / 2)
        for id in Int64(1)...9 {
            tail.append(Segment(after: id - 1, ids: [id]))
            #expect(tail.footprint == tail.segments.reduce(0) { $0 + $1.footprint })
            #expect(tail.segments.count == min(Int(id), 3))
        }
        #expect(tail.start == .integer(6))
        #expect(tail.index(after: .integer(5)) == nil)
        #expect(tail.index(after: .integer(6)) == 0)
    }

    @Test func `the newest segment stays whatever its size`() {
        var tail = Tail(bound: 1)
        tail.append(Segment(after: 0, ids: [1]))
        tail.append(Segment(after: 1, ids: [2]))
        #expect(tail.segments.count == 1)
        #expect(tail.start == .integer(1))
    }

    @Test func `a segment past a gap takes the place of everything`() {
        let last = Segment(after: 5, ids: [6])
        let tail = Self.tail(Segment(after: 0, ids: [1]), Segment(after: 1, ids: [2]), last)
        #expect(tail.segments.count == 1)
        #expect(tail.start == .integer(5))
        #expect(tail.footprint == last.footprint)
    }

    @Test func `a segment of another generation takes the place of everything`() {
        let tail = Self.tail(Segment(after: 0, ids: [1]), Segment(after: 1, ids: [2], generation: 1))
        #expect(tail.segments.count == 1)
        #expect(tail.start == .integer(1))
    }

    @Test func `a cleared tail holds nothing and takes what comes`() {
        var tail = Self.tail(Segment(after: 0, ids: [1]))
        tail.clear()
        #expect(tail.footprint == 0)
        #expect(tail.start == nil)
        tail.append(Segment(after: 7, ids: [8]))
        #expect(tail.start == .integer(7))
    }
}

@Suite struct FeedViewTests {
    private static func view(_ news: FeedNews...) -> FeedView {
        var view = FeedView(tailBytes: .max)
        for item in news {
            view.apply(item)
        }
        return view
    }

    @Test func `a new view knows nothing`() {
        let view = Self.view()
        #expect(view.head == .earliest)
        #expect(view.history.current == 0)
        #expect(view.tail.start == nil)
    }

    @Test func `segments move the head`() {
        let view = Self.view(
            .segment(Segment(after: .earliest, ids: [1, 2])),
            .segment(Segment(after: 2, ids: [], through: 9))
        )
        #expect(view.head == .integer(9))
        #expect(view.tail.start == .earliest)
    }

    @Test func `warm segments up to the head fill the tail and leave the head alone`() {
        let view = Self.view(
            .generation(GenerationHistory(), head: .integer(9)),
            .segment(Segment(after: 3, ids: [4, 5])),
            .segment(Segment(after: 5, ids: [7], through: 9))
        )
        #expect(view.head == .integer(9))
        #expect(view.tail.start == .integer(3))
    }

    @Test func `rows that nobody listened for empty the tail`() {
        let view = Self.view(.segment(Segment(after: .earliest, ids: [1])), .advanced(.integer(5)))
        #expect(view.head == .integer(5))
        #expect(view.tail.start == nil)
    }

    @Test func `a new generation empties the tail and sets the head`() {
        var history = GenerationHistory()
        history.advance(base: .integer(2))
        let view = Self.view(
            .segment(Segment(after: .earliest, ids: [1, 2, 3])),
            .generation(history, head: .integer(2))
        )
        #expect(view.head == .integer(2))
        #expect(view.history.current == 1)
        #expect(view.tail.start == nil)
    }
}

@Suite struct HistogramTests {
    @Test func `durations fall into the bucket whose bound they don't pass`() throws {
        var histogram = Histogram()
        for duration: Duration in [.zero, .microseconds(50), .microseconds(51), .milliseconds(1), .seconds(10)] {
            histogram.record(duration)
        }
        histogram.record(.seconds(11))
        #expect(histogram.counts[0] == 2)
        #expect(histogram.counts[1] == 1)
        #expect(try histogram.counts[#require(Histogram.bounds.firstIndex(of: 0.001))] == 1)
        #expect(histogram.counts[Histogram.bounds.count - 1] == 1)
        #expect(histogram.counts[Histogram.bounds.count] == 1)
        #expect(histogram.counts.reduce(0, +) == 6)
        #expect(abs(histogram.sum - 21.001_101) < 1e-9)
    }

    @Test func `two histograms add up`() {
        var one = Histogram()
        one.record(.milliseconds(1))
        var other = Histogram()
        other.record(.milliseconds(1))
        other.record(.seconds(100))
        one.merge(other)
        #expect(one.counts.reduce(0, +) == 3)
        #expect(one.counts.last == 1)
        #expect(abs(one.sum - 100.002) < 1e-9)
    }

    @Test func `the bounds rise`() {
        #expect(zip(Histogram.bounds, Histogram.bounds.dropFirst()).allSatisfy { $0 < $1 })
    }
}
