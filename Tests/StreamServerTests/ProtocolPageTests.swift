// SPDX-License-Identifier: Apache-2.0

import EventStream
import Foundation
import RowtailCore
import TestSupport
import Testing

@testable import StreamServer

/// `docs/protocol.md` against the code, both ways: what clients may send, and everything that they may get.
@Suite(.timeLimit(.minutes(1)))
struct ProtocolPageTests {
    private let page: DocumentationPage

    init() throws {
        page = try DocumentationPage("docs/protocol.md")
    }

    @Test func `every error code is there with its status, and no other`() throws {
        let table = try page.table(["status", "code", "when", "a client"], below: "Status codes and errors")
        let documented = zip(table.plain(0), table.plain(1)).map { "\($0) \($1)" }
        let codes = RequestError.Code.allCases.map { "\("\($0.status)".prefix(3)) \($0.rawValue)" }
        // What is no error, and the one code that comes with two statuses.
        #expect(documented.sorted() == (codes + ["200 ", "204 ", "429 too_many_streams"]).sorted())
    }

    @Test func `every reason of an end and of a reset is there, and no other`() throws {
        let ends = try page.table(["reason", "because", "then"], below: "Ends")
        #expect(ends.code(0).sorted() == EndReason.allCases.map(\.rawValue).sorted())
        let columns = ["reason", "when", "the stream goes on", "a client that keeps a copy"]
        let resets = try page.table(columns, below: "Resets")
        #expect(resets.code(0).sorted() == ResetReason.allCases.map(\.rawValue).sorted())
    }

    @Test func `every control event is there with its members, and no other`() throws {
        let id = EventID(.integer(1), generation: 0)
        let frames = [
            ControlFrame.reset(feed: "orders", Reset(reason: .rewound, requested: id, resumedFrom: id)),
            ControlFrame.oversize(feed: "orders", bytes: 1, id: id),
            ControlFrame.end(.drain, id: nil),
        ]
        let written = try frames.map { frame in
            let name = try #require(frame.firstMatch(of: /event: (\S+)/))
            let data = try #require(frame.firstMatch(of: /data: (.*)/))
            return "\(name.1) \(data.1.matches(of: /[{,]("\w+"):/).map { "\($0.1)" })"
        }
        let table = try page.table(["event", "data", ""], below: "Control events")
        let documented = zip(table.plain(0), table.plain(1)).map { name, data in
            "\(name) \(data.matches(of: /"\w+"/).map { "\($0.0)" })"
        }
        #expect(documented == written)
        // None is written anywhere else.
        let sources = DocumentationPage.checkout.appendingPathComponent("Sources").path
        let files = try #require(FileManager.default.enumerator(atPath: sources))
        var names: Set<String> = []
        for case let file as String in files where file.hasSuffix(".swift") {
            let text = try String(contentsOfFile: "\(sources)/\(file)", encoding: .utf8)
            names.formUnion(text.matches(of: /event: (rowtail\.\w+)/).map { "\($0.1)" })
        }
        #expect(names == Set(table.code(0)))
    }

    @Test func `every parameter is there, and no other`() async throws {
        let table = try page.table(["parameter", "values", ""], below: "The request")
        // Its other name, and what is for tokens alone and unknown where there are none.
        let documented = Set(table.code(0)).subtracting(["lastEventId", "access_token"])
        #expect(documented == Set(StreamParameter.allCases.map(\.rawValue)))
        try await withServer(feeds: [HandFedTable(rows: 3).feed]) { _, port in
            for name in table.code(0) where name != "access_token" {
                let (head, body) = try await StreamClient.ask(port: port, "/feeds/orders?\(name)=%00")
                #expect(head.status == 400 && !body.contains("unknown_parameter"), "\(name): \(body)")
            }
            // What the page says of values is taken.
            for (name, cell) in zip(table.plain(0), table.rows.map { $0[1] })
            where name == "on_reset" || name == "until" {
                for value in DocumentationPage.code(in: cell) {
                    let path = "/feeds/orders?\(name)=\(value)&last_event_id=3&until=head"
                    let (head, body) = try await StreamClient.ask(
                        port: port,
                        name == "until" ? String(path.prefix { $0 != "&" }) + "&last_event_id=3" : path
                    )
                    #expect(head.status == 204, "\(name)=\(value): \(body)")
                }
            }
        }
    }

    @Test func `a stream's head is the one on the page`() async throws {
        let block = try #require(page.text.firstMatch(of: /(?s)```\n(HTTP\/1\.1 200 OK\n.*?)```/))
        // The time is another.
        func plain(_ field: String) -> String { field.lowercased().replacing(/^date: .*/, with: "date:") }
        var lines = block.1.split(separator: "\n").map(String.init)
        let statusLine = lines.removeFirst()
        try await withServer(feeds: [HandFedTable(rows: 3).feed]) { _, port in
            let (_, head) = try await StreamClient.stream(port: port, "/feeds/orders")
            #expect(head.statusLine == statusLine)
            #expect(head.fields.map { plain("\($0): \($1)") }.sorted() == lines.map(plain).sorted())
        }
    }
}
