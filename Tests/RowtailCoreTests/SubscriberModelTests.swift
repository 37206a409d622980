// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

/// A table, what an event loop knows of it, and one client, moved about at random.
///
/// Each row is told apart from a later one with the same position by the generation in which it was inserted. What the
/// client holds in the end must be what the table holds, whatever happened on the way.
private struct World {
    struct Row: Equatable {
        var position: Int64
        var born: Int
    }

    var random: SeededGenerator
    /// All rows, those that the feed's `where` passes over included.
    var rows: [Row] = []
    var head: Int64 = 0
    var stream: Stream
    var pending: (after: Position, through: Position, generation: Int)?

    /// What the client holds, and where what it wants begins.
    var held: [Row] = []
    var floor: Position = .earliest

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let policy: ResetPolicy = random.oneIn(3) ? .latest : .earliest
        stream = Stream(policy: policy, tailBytes: random.oneIn(4) ? .max : 2000)
    }

    private func isPassedOver(_ row: Row) -> Bool {
        row.position.isMultiple(of: 3)
    }

    private var wanted: [Row] {
        rows.filter { .integer($0.position) > floor && !isPassedOver($0) }
    }

    private var current: Int { stream.view.history.current }

    private mutating func insert() {
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            head += Int64.random(in: 1...3, using: &random)
            rows.append(Row(position: head, born: current))
        }
    }

    private func segment(after: Position, through: Position, limit: Int, generation: Int) -> Segment {
        let range = rows.filter { .integer($0.position) > after && .integer($0.position) <= through }
        let page = range.prefix(limit)
        let events = page.filter { !isPassedOver($0) }
        var writer = ByteWriter()
        var marks: [Segment.Event] = []
        for row in events {
            writer.write(text: "\(row.position)/\(row.born);")
            marks.append(Segment.Event(position: .integer(row.position), end: writer.count))
        }
        let last = page.count < range.count ? page.last.map { Position.integer($0.position) } ?? through : through
        return Segment(generation: generation, after: after, through: last, copying: writer.bytes, events: marks)
    }

    private mutating func publish() {
        let before = stream.view.head
        insert()
        if random.oneIn(6) {
            stream.view.apply(.advanced(.integer(head)))
            return
        }
        let through = Position.integer(head)
        stream.view.apply(
            .segment(segment(after: before, through: through, limit: .max, generation: current))
        )
    }

    private mutating func breakHistory() {
        var history = stream.view.history
        if random.oneIn(4) {
            history.advance(base: nil)
            rows = []
            head = 0
        } else {
            let base = rows.isEmpty || random.oneIn(8) ? nil : rows.randomElement(using: &random)?.position
            rows.removeAll { $0.position > base ?? .min }
            head = base ?? 0
            history.advance(base: base.map(Position.integer) ?? .earliest)
        }
        let view = FeedNews.generation(history, head: head == 0 ? .earliest : .integer(head))
        guard random.oneIn(2) else {
            stream.view.apply(view)
            return
        }
        // Rows came in the place of those that went, before the poll that saw it.
        let born = history.current
        for _ in 0..<3 {
            head += 1
            rows.append(Row(position: head, born: born))
        }
        stream.view.apply(.generation(history, head: .integer(head)))
    }

    private mutating func deliverPage() {
        guard let asked = pending else { return }
        pending = nil
        guard !random.oneIn(5) else {
            stream.state.received(nil)
            return
        }
        // Read from the table as it is now, for whoever asked; a joined read may go further than was asked for.
        let through = random.oneIn(3) ? Position.integer(head) : asked.through
        stream.state.received(
            segment(
                after: asked.after,
                through: max(through, asked.after),
                limit: Int.random(in: 1...4, using: &random),
                generation: asked.generation
            )
        )
    }

    /// The next step of the stream; false when there is nothing to do.
    private mutating func pump() -> Bool {
        switch stream.state.next(in: stream.view) {
        case .wait:
            return false
        case .send(let slice):
            let count = slice.events.isEmpty ? 0 : Int.random(in: 1...slice.events.count, using: &random)
            receive(slice, count)
            stream.state.sent(slice, events: count)
        case .read(let after, let through):
            #expect(pending == nil)
            #expect(after < through)
            pending = (after, through, stream.state.generation)
            stream.state.requestedPage()
        case .reset(let reset):
            receive(reset)
            stream.state.wasReset(reset, in: stream.view)
        case .end(let reason):
            Issue.record("ended: \(reason)")
            return false
        }
        if random.oneIn(4) { stream.state.checkpointed() }
        return true
    }

    private mutating func receive(_ slice: SubscriberState.Slice, _ count: Int) {
        let range = slice.events.lowerBound..<slice.events.lowerBound + count
        let text = slice.segment.text(
            slice.segment.offset(ofEvent: range.lowerBound)..<slice.segment.offset(ofEvent: range.upperBound)
        )
        for item in text.split(separator: ";") {
            let parts = item.split(separator: "/")
            let row = Row(position: Int64(parts[0]) ?? 0, born: Int(parts[1]) ?? 0)
            #expect(
                held.last.map { $0.position < row.position } ?? true,
                "\(row) after \(String(describing: held.last))"
            )
            held.append(row)
        }
    }

    private mutating func receive(_ reset: Reset) {
        #expect(reset.requested == stream.state.told)
        #expect(reset.resumedFrom.generation == current)
        held.removeAll { .integer($0.position) > reset.resumedFrom.position }
        if reset.reason != .rewound {
            held = []
            floor = reset.resumedFrom.position
        } else {
            floor = min(floor, reset.resumedFrom.position)
        }
    }

    mutating func run() {
        for _ in 0..<300 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0...2: publish()
            case 3 where random.oneIn(2): breakHistory()
            case 4...6: deliverPage()
            case 7 where pending == nil: stream.state.releasePage()
            default: _ = pump()
            }
        }
        // Left alone, the stream comes to rest at the head with all there is.
        for _ in 0..<10_000 {
            if pump() { continue }
            guard pending != nil else { break }
            deliverPage()
        }
        #expect(held == wanted)
        #expect(stream.state.position >= stream.view.head)
        #expect(stream.state.generation == current)
    }
}

@Suite struct SubscriberModelTests {
    @Test(arguments: (0..<500).map { UInt64($0) } + [UInt64.random(in: .min ... .max)])
    func `whatever happens, a client ends up with what the table holds`(seed: UInt64) {
        var world = World(seed: seed)
        world.run()
    }
}
