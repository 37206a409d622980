// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RowtailCore

/// The subscribers that stand at the head and wait: they move as one.
///
/// All of them get the same bytes next. What these are is found once, and sending them costs a member one system call:
/// nothing of it is looked at but its descriptor. One that the kernel doesn't take everything for leaves, and goes
/// on by itself until it is at the head again.
///
/// What is asked of every member again and again is kept in arrays beside the list, so that ten thousand of them are gone
/// through without touching one of their objects.
struct Cohort {
    private(set) var members: [Subscriber] = []
    private var descriptors: [CInt] = []
    /// When each was last sent something by itself, or joined.
    private var progress: [NIODeadline] = []
    /// When each is to end, `distantFuture` for never.
    private var ends: [NIODeadline] = []
    /// Where every member stands; what the members record themselves dates from when they joined.
    private var state: SubscriberState?
    /// When all of them were last sent something.
    private var commonProgress = NIODeadline.uptimeNanoseconds(0)

    /// Whether a subscriber at the head may join: it stands where the others do, and goes on without an end of its own.
    ///
    /// One that waits for a page from before a break doesn't, or all of them would wait for it. Nor does one whose bytes
    /// aren't those of the segment.
    func takes(_ subscriber: Subscriber) -> Bool {
        guard let own = subscriber.state, own.isOpenEnded, !own.awaitsPage else { return false }
        guard subscriber.isChunked, subscriber.descriptor != nil else { return false }
        return state.map(own.stands) ?? true
    }

    /// Takes a subscriber in that ``takes(_:)`` said yes to.
    mutating func join(_ subscriber: Subscriber) {
        if members.isEmpty { state = subscriber.state }
        subscriber.index = members.count
        subscriber.isInCohort = true
        members.append(subscriber)
        descriptors.append(subscriber.descriptor ?? -1)
        progress.append(subscriber.lastProgress)
        ends.append(subscriber.endsAt ?? .distantFuture)
    }

    /// Lets a subscriber go on by itself, with a record of its own that is up to date.
    mutating func leave(_ subscriber: Subscriber) {
        update(subscriber)
        subscriber.isInCohort = false
        let index = subscriber.index
        members.swapRemove(subscriber)
        descriptors.swapRemove(at: index)
        progress.swapRemove(at: index)
        ends.swapRemove(at: index)
        if members.isEmpty { state = nil }
    }

    /// Lets all of them go on by themselves.
    mutating func dissolve() -> [Subscriber] {
        defer { self = Cohort() }
        for member in members {
            update(member)
            member.isInCohort = false
        }
        return members
    }

    /// Brings a member's own record up to date.
    func update(_ subscriber: Subscriber) {
        guard let state else { return }
        subscriber.state?.follow(state)
        subscriber.lastProgress = max(progress[subscriber.index], commonProgress)
    }

    /// Takes note that a member was sent something by itself.
    mutating func progressed(_ subscriber: Subscriber, at now: NIODeadline) {
        progress[subscriber.index] = now
    }

    /// Those that are to end, or were sent nothing for as long as a heartbeat may take.
    func due(at now: NIODeadline, heartbeat: TimeAmount) -> [Subscriber] {
        let isQuiet = now - commonProgress >= heartbeat
        return members.indices.filter { index in
            ends[index] <= now || (isQuiet && now - progress[index] >= heartbeat)
        }.map { members[$0] }
    }

    /// Collects what comes next for everyone.
    ///
    /// - Returns: `nil` when there is nobody.
    mutating func fill(
        _ batch: inout SendBatch,
        in view: borrowing FeedView
    ) -> (
        ahead: SubscriberState, step: SubscriberState.Step
    )? {
        guard var sent = state else { return nil }
        defer { state = sent }
        return batch.fill(for: &sent, in: view)
    }

    /// Sends everyone the batch.
    ///
    /// - Parameters:
    ///   - batch: What ``fill(_:in:)`` collected.
    ///   - ahead: Where the members stand after that.
    ///   - now: The time.
    /// - Returns: Those that didn't get all of it, and what they got. They have left and stand where they stood.
    mutating func send(
        _ batch: SendBatch,
        ahead: SubscriberState,
        at now: NIODeadline
    ) -> [(Subscriber, SocketWriter.Result)] {
        var short: [(Subscriber, SocketWriter.Result)] = []
        // Nothing calls back in here: the lists don't change.
        descriptors.withUnsafeBufferPointer { descriptors in
            SocketWriter.send(batch, to: descriptors) { short.append((members[$0], $1)) }
        }
        for (subscriber, _) in short { leave(subscriber) }
        if !members.isEmpty { state = ahead }
        commonProgress = now
        return short
    }
}

extension Array {
    /// Takes an element out; the last one takes its place.
    fileprivate mutating func swapRemove(at index: Int) {
        swapAt(index, count - 1)
        removeLast()
    }
}

extension [Subscriber] {
    /// Takes a subscriber out; the last one takes its place.
    mutating func swapRemove(_ subscriber: Subscriber) {
        self[count - 1].index = subscriber.index
        swapRemove(at: subscriber.index)
    }
}
