// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// Each program of `docs/clients.md`, as it stands there: against the daemon, and against what may come at worst.
    @Suite struct ClientsPageTests {
        private let page: ClientsPage

        init() throws { page = try ClientsPage() }

        @Test func `every program of the page is run here or under systemd, and is short`() throws {
            let run = [
                "follow.py", "follow.mjs", "follow.go", "follow.sh", "eventsource.html", "fetch.html", "orders-new",
            ]
            let underSystemd = ["orders-new.service", "orders-new.timer"]
            #expect(Set(page.programs.keys) == Set(run + underSystemd))
            for (name, text) in page.programs {
                // Go's own format takes more lines.
                #expect(text.count { $0 == "\n" } <= (name.hasSuffix(".go") ? 140 : 65), "\(name)")
            }
        }

        // MARK: - Programs that keep the id in a file

        @Test func `the Python program gets every row and reads all that may come`() async throws {
            try await follows("follow.py") { ["python3", $0] }
        }

        @Test func `the shell program gets every row and reads all that may come`() async throws {
            try await follows("follow.sh", corners: "lf") { ["bash", $0] }
        }

        @Test(TestPrograms.needs("node", package: "nodejs"))
        func `the Node program gets every row and reads all that may come`() async throws {
            try await follows("follow.mjs") { ["node", $0] }
        }

        @Test(TestPrograms.needs("go", package: "golang-go"))
        func `the Go program gets every row and reads all that may come`() async throws {
            try await follows("follow.go") { source in
                let program = source.replacing(".go", with: "")
                // The library is compiled once, and kept with what is built.
                let cache = TestPrograms.checkout.appendingPathComponent(".build/clients-go").path
                let build = try RunningProgram(
                    "go",
                    ["build", "-o", program, source],
                    environment: ["GOCACHE": cache, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GO111MODULE": "auto"]
                )
                try #require(try await build.end(within: .seconds(150)) == .exit(0), "\(build.state.value)")
                return [program]
            }
        }

        private func follows(
            _ name: String,
            corners kind: String = "all",
            command: (_ path: String) async throws -> [String]
        ) async throws {
            let served = try ServedOrders()
            let command = try await command(try page.write(name, to: served.database.directory))
            try await readsCorners(command, kind, served)
            try FileManager.default.removeItem(atPath: served.idFile)

            var daemon = try await served.start()
            var client = try served.run(command)
            try await expectLines(ServedOrders.rows(1...3), of: client)
            let copy = try served.backUp()
            try served.insertOdd()
            try await expectLines(ServedOrders.rows(1...5), of: client)
            // Cut off without a word, and rows come while nobody serves.
            try await daemon.kill()
            try served.database.insertOrders(2)
            daemon = try await served.start()
            try await expectLines(ServedOrders.rows(1...7), of: client)
            // Another run goes on by the id in the file.
            try await served.stores("7")
            try await end(client)
            try served.database.insertOrders(2)
            client = try served.run(command)
            try await expectLines(ServedOrders.rows(8...9), of: client)
            // Ended in order.
            try await daemon.terminate()
            try served.database.insertOrders(2)
            daemon = try await served.start()
            try await expectLines(ServedOrders.rows(8...11), of: client)

            try await served.restore(copy, head: 11, daemon: daemon)
            try await served.stores("5@1")
            try await end(client)
            #expect(
                client.state.value.errors.contains {
                    $0.contains(#"rowtail.reset {"feed":"orders","reason":"rewound""#)
                }
            )
            // From the newest row that is surely the same.
            let after = Array(client.state.value.output.dropFirst(4))
            #expect((2...5).contains(after.count), "\(client.state.value)")
            #expect(after == ServedOrders.rows(1...5, restored: 4...5).suffix(after.count), "\(client.state.value)")

            for lines in [[], ServedOrders.rows(6...6)] {
                if !lines.isEmpty { try served.database.insertOrders(1) }
                let once = try served.run(command, query: "?until=head")
                #expect(try await once.end() == .exit(0), "\(once.state.value)")
                #expect(once.state.value.output == lines, "\(once.state.value)")
            }
            let refused = try served.run(command, token: "wrong")
            #expect(try await refused.end() == .exit(1), "\(refused.state.value)")
            #expect(refused.state.value.errors.contains { $0.contains("401") }, "\(refused.state.value)")
            try await daemon.terminate()
        }

        private func end(_ program: RunningProgram) async throws {
            program.signal(SIGTERM)
            try await program.end()
        }

        private static let corners = [#"{"name":"grâce ☕"}"#, "[1,", "2]", "three", "", "between", ""]

        private func corners(_ kind: String) async throws -> (server: RunningProgram, url: String) {
            let server = try RunningProgram("python3", [TestPrograms.path("serve_corners.py"), kind])
            let port = try await server.state.until("a port") { $0.output.first ?? ($0.isOver ? "" : nil) }
            return (server, "http://127.0.0.1:\(port)/feeds/orders")
        }

        /// Waits until the last answer was sent, and expects that the client asked as it should.
        private func expectDone(_ server: RunningProgram) async throws {
            let lines = try await server.state.until("the end", within: .seconds(60)) { state in
                state.output.contains("done") || state.isOver ? state.output.dropFirst() : nil
            }
            #expect(lines == ["done"], "\(server.state.value)")
        }

        private func readsCorners(_ command: [String], _ kind: String, _ served: ServedOrders) async throws {
            let (server, url) = try await corners(kind)
            let client = try served.run(command, environment: ["ROWTAIL_URL": url])
            #expect(try await client.end(within: .seconds(60)) == .exit(0), "\(client.state.value)")
            #expect(client.state.value.output == Self.corners + ["again", "last"], "\(client.state.value)")
            #expect(
                client.state.value.errors.contains(#"rowtail.reset {"reason":"rewound"}"#)
                    || command[0].hasSuffix("follow")
            )
            try await expectDone(server)
            try await served.stores("5@1")
        }

        // MARK: - Pages

        /// A page, what stands in its URL behind the feed's, and the cookie that the application set.
        struct Page: Sendable, CustomTestStringConvertible {
            var name: String
            var rest: String
            var cookie: String?

            var testDescription: String { "\(name) by \(cookie == nil ? rest.prefix(6) : "cookie")" }
        }

        private static let pages = [
            Page(name: "eventsource.html", rest: "&token=\(ServedOrders.token)"),
            Page(name: "eventsource.html", rest: "&cookie", cookie: "rowtail=\(ServedOrders.token)"),
            Page(name: "fetch.html", rest: "#\(ServedOrders.token)"),
        ]

        private func open(_ page: Page, _ url: String, _ served: ServedOrders) throws -> RunningProgram {
            let path = try self.page.write(page.name, to: served.database.directory)
            let arguments = [path, "\(served.pagePort)", "?feed=\(url)\(page.rest)"] + [page.cookie].compactMap(\.self)
            return try RunningProgram("python3", [TestPrograms.path("browse_page.py")] + arguments)
        }

        @Test(
            TestPrograms.needs("chromium", "chromium-browser", "google-chrome", package: "chromium"),
            arguments: pages
        )
        func `a page shows every row once, and begins anew after a reset`(page: Page) async throws {
            let served = try ServedOrders()
            var daemon = try await served.start()
            let browser = try open(page, served.url, served)
            try await expectLines(ServedOrders.rows(1...3), of: browser)
            let copy = try served.backUp()
            try served.insertOdd()
            try await expectLines(ServedOrders.rows(1...5), of: browser)
            try await daemon.kill()
            try served.database.insertOrders(2)
            daemon = try await served.start()
            try await expectLines(ServedOrders.rows(1...7), of: browser)
            try await daemon.terminate()
            try served.database.insertOrders(2)
            daemon = try await served.start()
            try await expectLines(ServedOrders.rows(1...9), of: browser)
            try await served.restore(copy, head: 9, daemon: daemon)
            let anew = ["(cleared)"] + ServedOrders.rows(1...5, restored: 4...5)
            try await expectLines(ServedOrders.rows(1...9) + anew, of: browser)
            #expect(
                browser.state.value.errors.contains { $0.contains(#""reason":"rewound""#) },
                "\(browser.state.value)"
            )
            try await end(browser)
            try await daemon.terminate()
        }

        @Test(TestPrograms.needs("chromium", "chromium-browser", "google-chrome", package: "chromium"))
        func `a page whose EventSource was refused asks again, and shows what it missed`() async throws {
            let served = try ServedOrders()
            let daemon = try await served.start()
            let browser = try open(Self.pages[0], served.url, served)
            try await expectLines(ServedOrders.rows(1...3), of: browser)
            try served.setToken("another-0123456789abcdef", daemon: daemon)
            // The end of the stream, and then the refusal, which the browser takes for final.
            try await browser.errorLine(#"ended {"reason":"unauthorized"}"#)
            try await eventually("a refusal") { () -> Bool? in
                let states = browser.state.value.errors
                return states.last == "disconnected" && states.count { $0 == "disconnected" } > 1 ? true : nil
            }
            try served.insertOdd()
            try served.setToken(ServedOrders.token, daemon: daemon)
            try await expectLines(ServedOrders.rows(1...5), of: browser)
            try await end(browser)
            try await daemon.terminate()
        }

        @Test(TestPrograms.needs("chromium", "chromium-browser", "google-chrome", package: "chromium"))
        func `the page that fetches reads all that may come, and says why it is refused`() async throws {
            let served = try ServedOrders()
            let (server, url) = try await corners("page")
            let browser = try open(Page(name: "fetch.html", rest: ""), url, served)
            try await expectDone(server)
            try await expectLines(Self.corners + ["(cleared)", "last"], of: browser)
            try await end(browser)

            let daemon = try await served.start()
            let refused = try open(Page(name: "fetch.html", rest: "#wrong"), served.url, served)
            try await refused.errorLine(#"401 {"error":{"code":"unauthorized""#)
            try await end(refused)
            try await daemon.terminate()
        }

        // MARK: - What a timer starts

        @Test func `the program of the timer hands each row on, and again where that failed`() async throws {
            let served = try ServedOrders()
            let path = try page.write("orders-new", to: served.database.directory)
            let environment: [String: String?] = ["STATE_DIRECTORY": served.database.directory.file("")]
            let id = served.database.directory.file("id")
            func expect(
                _ lines: [String],
                _ command: String = "cat",
                token: String = ServedOrders.token,
                code: Int32 = 0
            )
                async throws
            {
                let program = try served.run(["sh", path, command], token: token, environment: environment)
                #expect(try await program.end() == .exit(code), "\(program.state.value)")
                #expect(program.state.value.output == lines, "\(program.state.value)")
            }
            // Nobody is there: curl's exit code.
            try await expect([], code: 7)
            var daemon = try await served.start()
            try await expect([], token: "wrong", code: 22)
            #expect(!FileManager.default.fileExists(atPath: id))
            let aimless = try served.run(["sh", path], environment: environment)
            #expect(try await aimless.end() != .exit(0))
            #expect(!FileManager.default.fileExists(atPath: id), "rows were dropped, as no command took them")
            try await expect(ServedOrders.rows(1...3))
            try await expect([])
            let copy = try served.backUp()
            try served.insertOdd()
            try await eventually("row 5") { () -> Bool? in try await Self.head(served) == "5" ? true : nil }
            try await expect([], "false", code: 1)
            try await expect(ServedOrders.rows(4...5))
            try await daemon.kill()
            try await expect([], code: 7)
            try served.database.insertOrders(4)
            daemon = try await served.start()
            try await expect(ServedOrders.rows(6...9))
            try await served.restore(copy, head: 9, daemon: daemon)
            try await eventually("row 5") { () -> Bool? in try await Self.head(served) == "5@1" ? true : nil }
            let after = try served.run(["sh", path, "cat"], environment: environment)
            #expect(try await after.end() == .exit(0), "\(after.state.value)")
            #expect(after.state.value.errors.contains { $0.contains(#""reason":"rewound""#) }, "\(after.state.value)")
            #expect(after.state.value.output.suffix(2) == ServedOrders.rows(4...5, restored: 4...5)[...])
            try await expect([])
            try await daemon.terminate()
        }

        private static func head(_ served: ServedOrders) async throws -> String {
            let options = ["--silent", "--noproxy", "*", "--header", "Authorization: Bearer \(ServedOrders.token)"]
            let client = try served.run(["curl"] + options + [served.url.replacing("/orders", with: "")])
            try await client.end()
            let answer = client.state.value.output.joined()
            return answer.firstMatch(of: /"head":"([^"]*)"/).map { "\($0.1)" } ?? answer
        }
    }
}
