// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import StreamProbe

/// How long a stream is watched.
@Suite struct EnoughTests {
    private static func events(_ count: Int, every gap: Int) -> [(Int, String)] {
        (0..<count).map { (1000 + $0 * gap, Exchange.event("\($0)")) }
    }

    @Test func `a heartbeat is enough`() {
        let quiet = Exchange([(12, Exchange.greeting)])
        #expect(!Probe.hasSeenEnough(quiet, .seconds(19)))
        #expect(Probe.hasSeenEnough(Exchange([(12, Exchange.greeting), (15_012, ": heartbeat\n\n")]), .seconds(15.1)))
    }

    @Test func `so are live events for some seconds, but not what was there already`() {
        let live = Exchange([(12, Exchange.greeting)] + Self.events(24, every: 250))
        #expect(Probe.hasSeenEnough(live, .seconds(6.8)))
        #expect(!Probe.hasSeenEnough(live, .seconds(4)))
        let few = Exchange([(12, Exchange.greeting)] + Self.events(8, every: 700))
        #expect(!Probe.hasSeenEnough(few, .seconds(19)))
        let replayed = (0..<100).map { Exchange.event("\($0)") }.joined()
        #expect(!Probe.hasSeenEnough(Exchange([(12, Exchange.greeting + replayed)]), .seconds(19)))
    }

    @Test func `what is no stream is not waited for`() {
        let page = Exchange([(12, "no")], fields: [], status: 404)
        #expect(!Probe.hasSeenEnough(page, .milliseconds(900)))
        #expect(Probe.hasSeenEnough(page, .milliseconds(1100)))
        #expect(!Probe.hasSeenEnough(Exchange(), .seconds(19)))
    }

    @Test func `only parameters that say where a stream begins and ends are replaced`() throws {
        let target = try ProbeTarget(
            "http://h/feeds/o?since=-5&access_token=t&limit=1&on_reset=fail&last_event_id=3&until=head"
        )
        #expect(target.starting(["limit=2"]).requestTarget == "/feeds/o?access_token=t&on_reset=fail&limit=2")
    }
}
