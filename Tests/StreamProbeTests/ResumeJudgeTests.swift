// SPDX-License-Identifier: Apache-2.0

import StreamProbe
import Testing

/// What is made of a client's coming back.
@Suite struct ResumeJudgeTests {
    private static func stream(_ first: String, _ ids: String...) -> Exchange {
        Exchange([(12, ": rowtail feed orders\nid: \(first)\n\n" + ids.map(Exchange.event).joined())], watched: 15)
    }

    private static func finding(
        _ newest: Exchange,
        id: String?,
        expected: String?,
        _ answer: Exchange,
        malformed: Int? = nil
    ) throws -> ProbeFinding? {
        let quiet = Exchange([(12, Exchange.greeting), (15_012, ": heartbeat\n\n")], watched: 15_013)
        return try ProbeReport.of(quiet) { found in
            var resume = ResumeObservation(newest: newest)
            resume.id = id
            resume.expected = expected
            resume.answer = answer
            resume.malformed = malformed.map { Exchange([], status: $0) }
            found.resume = resume
        }.on("resume")
    }

    @Test func `the event after the id is what has to come`() throws {
        let newest = Self.stream("1", "2", "3@1")
        let good = try Self.finding(newest, id: "2", expected: "3@1", Self.stream("2", "3@1"))
        #expect(good?.level == .ok)
        let skipped = try Self.finding(newest, id: "2", expected: "3@1", Self.stream("2", "4@1"))
        #expect(skipped?.level == .fail && skipped?.message.contains("'4@1' came in place of 3@1") == true)
        let updated = try Self.finding(newest, id: "9~2", expected: "9~3", Self.stream("9~2", "11~3"))
        #expect(updated?.level == .warning)
        let nothing = try Self.finding(newest, id: "2", expected: "3@1", Self.stream("2"))
        #expect(nothing?.level == .fail && nothing?.message.contains("nothing came") == true)
    }

    @Test func `an id that is lost on the way is told`() throws {
        let lost = try Self.finding(Self.stream("1", "2", "3"), id: "2", expected: "3", Self.stream("3"))
        #expect(lost?.level == .fail && lost?.message.contains("the stream began at 3") == true)
        #expect(lost?.remedies.contains { $0.contains("proxy_set_header Last-Event-ID") } == true)
    }

    @Test(
        arguments: [
            // The event that was seen, one of the other feed, and that after rows which `where` passes over.
            (["orders:7,users:earliest"], nil), (["orders:6,users:1"], nil),
            (["orders:6,users:4", "orders:6,users:5"], nil), (["orders:6,users:4", "orders:7,users:4"], nil),
            (["orders:8,users:earliest"], "'orders:8,users:earliest' came in place of orders:7,users:earliest"),
            (["orders:7,users:1"], "'orders:7,users:1' came"), (["orders:6,users:earliest"], "came in place"),
            (["orders:7"], "'orders:7' came"), ([], "nothing came"),
        ] as [([String], String?)]
    )
    func `between feeds there is no order, and within each there is`(_ ids: [String], _ fault: String?) throws {
        let (id, expected) = ("orders:6,users:earliest", "orders:7,users:earliest")
        let newest = Self.stream("orders:5,users:earliest", id, expected)
        let passed = ids.dropLast().map { "id: \($0)\n\n" }
        let text = ": rowtail feeds orders,users\nid: \(id)\n\n\(passed.joined())\(ids.last.map(Exchange.event) ?? "")"
        let finding = try Self.finding(newest, id: id, expected: expected, Exchange([(12, text)], watched: 15))
        if let fault {
            #expect(finding?.level == .fail && finding?.message.contains(fault) == true, "\(finding?.message ?? "")")
        } else {
            #expect(finding?.level == .ok, "\(finding?.message ?? "")")
            #expect(finding?.message.hasSuffix("was followed by \(ids.last ?? "")") == true)
        }
    }

    @Test func `a feed among several that isn't there yet has no id to come back to`() throws {
        let newest = Self.stream("orders:,users:", "orders:2,users:", "orders:3,users:")
        let answer = Self.stream("orders:2,users:earliest", "orders:3,users:earliest")
        let good = try Self.finding(newest, id: "orders:2,users:", expected: "orders:3,users:", answer)
        #expect(good?.level == .ok, "\(good?.message ?? "")")
        let late = Self.stream("orders:3,users:earliest")
        let lost = try Self.finding(newest, id: "orders:2,users:", expected: "orders:3,users:", late)
        #expect(lost?.level == .fail)
    }

    @Test func `a feed that has no events tells it by an id that is none`() throws {
        let empty = Self.stream("earliest")
        let good = try Self.finding(empty, id: "earliest", expected: nil, empty, malformed: 400)
        #expect(good?.level == .ok)
        let lost = try Self.finding(empty, id: "earliest", expected: nil, empty, malformed: 200)
        #expect(lost?.level == .fail)
    }

    @Test func `a reset and refusals are told`() throws {
        let reset = Exchange([
            (12, ": rowtail feed orders\nevent: rowtail.reset\nid: 0\ndata: {\"reason\":\"ahead\"}\n\n")
        ])
        let newest = Self.stream("1", "2", "3")
        #expect(
            try Self.finding(newest, id: "2", expected: "3", reset)?.message.contains(#"{"reason":"ahead"}"#) == true
        )
        let busy = Exchange([], fields: [], status: 429)
        #expect(
            try Self.finding(newest, id: "2", expected: "3", busy)?.remedies == [
                "rowtail: limits.streams_per_address: 0"
            ]
        )
        #expect(try Self.finding(busy, id: nil, expected: nil, busy)?.level == .fail)
    }
}
