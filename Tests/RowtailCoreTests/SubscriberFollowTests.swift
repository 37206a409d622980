// SPDX-License-Identifier: Apache-2.0

import RowtailCore
import TestSupport
import Testing

/// Streams that stand at the same place: what one of them records holds for the others.
struct SubscriberFollowTests {
    private func stream(after start: Int64, generation: Int = 0, limit: Int? = nil) -> SubscriberState {
        SubscriberState(start: EventID(.integer(start), generation: generation), limit: limit, policy: .earliest)
    }

    @Test func `a stream that follows stands where the other does`() {
        var view = FeedView(tailBytes: .max)
        view.apply(.segment(Segment(after: 0, ids: [1, 2, 3, 4, 5])))
        var (leader, other) = (stream(after: 3), stream(after: 3))
        #expect(leader.stands(with: other))
        guard case .send(let slice) = leader.next(in: view) else {
            Issue.record("there is nothing to send")
            return
        }
        leader.sent(slice, events: slice.events.count)
        #expect(!leader.stands(with: other))
        other.follow(leader)
        #expect(leader.stands(with: other))
        #expect(other.position == .integer(5))
        #expect(!other.needsCheckpoint)
    }

    @Test func `rows passed over leave each client's id where it is`() {
        var view = FeedView(tailBytes: .max)
        view.apply(.segment(Segment(after: 3, ids: [], through: 9)))
        var (leader, late) = (stream(after: 3), stream(after: 9))
        guard case .send(let slice) = leader.next(in: view) else {
            Issue.record("there is nothing to pass over")
            return
        }
        leader.sent(slice, events: 0)
        #expect(leader.stands(with: late))
        late.follow(leader)
        #expect(!late.needsCheckpoint)
        var early = stream(after: 3)
        early.follow(leader)
        #expect(early.needsCheckpoint)
        early.checkpointed()
        early.follow(leader)
        #expect(!early.needsCheckpoint)
    }

    @Test func `what another client knew before says nothing of this one`() {
        var view = FeedView(tailBytes: .max)
        view.apply(.segment(Segment(after: 3, ids: [], through: 9)))
        var follower = stream(after: 3)
        guard case .send(let slice) = follower.next(in: view) else {
            Issue.record("there is nothing to pass over")
            return
        }
        follower.sent(slice, events: 0)
        follower.follow(stream(after: 9))
        #expect(follower.needsCheckpoint)
        #expect(follower.told == EventID(.integer(3), generation: 0))
    }

    @Test func `streams of two generations don't stand together`() {
        #expect(!stream(after: 3).stands(with: stream(after: 3, generation: 1)))
    }

    @Test func `a stream with an end of its own isn't open-ended`() {
        #expect(stream(after: 3).isOpenEnded)
        #expect(!stream(after: 3, limit: 2).isOpenEnded)
        let until = SubscriberState(start: EventID(.earliest, generation: 0), until: .integer(3), policy: .earliest)
        #expect(!until.isOpenEnded)
    }
}
