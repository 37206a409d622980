// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

extension DaemonTests {
    /// `docs/commands.md` against the built program, both ways, and the manual page that is made of it.
    @Suite struct CommandsPageTests {
        /// A command as the program describes itself.
        private struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable {
                    var kind: String
                    var name: String

                    var written: String { kind == "long" ? "--\(name)" : "-\(name)" }
                }

                var kind: String
                var names: [Name]?
                var valueName: String?
                var defaultValue: String?

                /// As the page writes it.
                var written: String { names?.first { $0.kind == "long" }?.written ?? (valueName ?? "").uppercased() }
            }

            var commandName: String
            var arguments: [Argument]?
            var subcommands: [Command]?

            /// This and what is below it, each with its whole name.
            func all(_ above: String = "") -> [(name: String, command: Command)] {
                let name = above.isEmpty ? commandName : "\(above) \(commandName)"
                return [(name, self)] + (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { $0.all(name) }
            }
        }

        private let page: DocumentationPage
        private let text: String

        init() throws {
            page = try DocumentationPage("docs/commands.md")
            text = page.text
        }

        private static func described() async throws -> Command {
            struct Description: Decodable {
                var command: Command
            }
            let program = try DaemonProcess.run(["--experimental-dump-help"])
            #expect(try await program.end() == .exit(0))
            let text = program.state.value.output.joined(separator: "\n")
            return try JSONDecoder().decode(Description.self, from: Data(text.utf8)).command
        }

        @Test func `every command is there with its options and their defaults, and no other`() async throws {
            let commands = try await Self.described().all()
            #expect(commands.count > 6)
            #expect(
                page.headings.filter { $0.hasPrefix("rowtail ") }.sorted() == commands.dropFirst().map(\.name).sorted()
            )
            let general = Set(commands[0].command.arguments?.flatMap { $0.names ?? [] }.map(\.written) ?? [])
            #expect(Set(try page.table(["option of every command", ""], below: "Description").code(0)) == general)
            for (name, command) in commands.dropFirst() {
                let own = (command.arguments ?? []).filter { !general.contains($0.written) }
                guard !own.isEmpty else { continue }
                let table = try page.table(["option", "default", ""], below: name)
                let documented = table.plain(0).map { String($0.prefix { $0 != " " }) }
                #expect(documented.sorted() == own.map(\.written).sorted(), "\(name)")
                for (option, standard) in zip(documented, table.plain(1)) {
                    guard let value = own.first(where: { $0.written == option })?.defaultValue else { continue }
                    #expect(standard == value, "\(name) \(option)")
                }
            }
        }

        @Test func `the synopsis has every command with every option`() async throws {
            let synopsis = try #require(text.firstMatch(of: /(?s)```\n(rowtail .*?)```/)).1.split(separator: "\n")
            for (name, command) in try await Self.described().all().dropFirst() where command.subcommands == nil {
                let line = try #require(synopsis.first { $0.hasPrefix("\(name) ") }, "\(name)")
                for option in command.arguments ?? [] where !["--help", "--version"].contains(option.written) {
                    #expect(line.contains(option.written), "\(name) \(option.written)")
                }
            }
        }

        /// The text of every source that a variable may be read in or an exit code set.
        private static let sources: String = {
            let folder = DocumentationPage.checkout.appendingPathComponent("Sources").path
            let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
            return files.filter { $0.hasSuffix(".swift") }.map {
                (try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)) ?? ""
            }.joined()
        }()

        @Test func `every environment variable is there, and no other`() throws {
            // Looked up in what the process was given, or named to a function that does.
            let read = Self.sources.matches(of: #/(?:environment\[|variable\()"([A-Z_]+)"/#).map { "\($0.1)" }
            #expect(Set(try page.table(["variable", "read by", ""], below: "Environment").code(0)) == Set(read))
            #expect(read.count > 8)
        }

        @Test func `every exit code is there, and no other`() throws {
            let set = Self.sources.matches(of: /ExitCode\((\d+)\)/).map { "\($0.1)" }
            // In order, a failure, and ArgumentParser's for a wrong command line.
            let all = Set(set).union(["0", "1", "64"])
            let table = try page.table(["code", ""], below: "Exit status")
            #expect(Set(table.plain(0)) == all && all.count == 5)
        }

        @Test func `the example that tries a copy of the database leaves the service's state alone`() async throws {
            let database = try TemporaryDatabase()
            try database.insertOrders(3)
            let state = database.directory.file("state")
            let config = try DaemonProcess.write(
                "listen: 127.0.0.1:0\ndatabase: \(database.path)\nstate_directory: \(state)\nfeeds: {orders: }\n",
                in: database.directory
            )
            let service = try await DaemonProcess.start(config: config)
            try await service.logged("feed is live")
            let block = try #require(text.firstMatch(of: /(?s)Try a copy of the database.*?```sh\n(.*?)```/)).1
            var script = String(block)
            for (there, here) in [
                ("/var/lib/app/app.db", database.path), ("/etc/rowtail/rowtail.yaml", config),
                ("127.0.0.1:8081", "127.0.0.1:0"), ("\nrowtail serve", "\nexec '\(DaemonProcess.executable)' serve"),
            ] {
                #expect(script.contains(there))
                script = script.replacing(there, with: here)
            }
            let folder = try TemporaryDirectory()
            let copy = try RunningProgram("sh", ["-ec", "cd '\(folder.path)'\n\(script)"])
            let line = try await copy.errorLine("feed is live")
            #expect(line.contains("\(folder.path)/copy.db") && line.contains("head=3"), "\(line)")
            #expect(!copy.state.value.errors.contains { $0.contains(state) })
            copy.signal(SIGTERM)
            #expect(try await copy.end() == .exit(0), "\(copy.state.value)")
            try await service.terminate()
        }

        @Test func `the manual pages have every command, option, key and heading of their sources`() async throws {
            let folder = try TemporaryDirectory()
            let script = DocumentationPage.checkout.appendingPathComponent("scripts/lib/man_pages.py").path
            try Shell.run("python3", [script, folder.path])
            /// A manual page without what roff makes of it.
            func manual(_ name: String) throws -> String {
                let text = try String(contentsOfFile: folder.file(name), encoding: .utf8)
                // A line that roff takes for a request that isn't one would be lost.
                for match in text.matches(of: /(?m)^['.](\w*)/) {
                    let known = [
                        "TH", "SH", "SS", "PP", "TP", "TQ", "IP", "RS", "RE", "EX", "EE", "br", "nh", "nr", "ad", "",
                    ]
                    #expect(known.contains("\(match.1)"), "\(name) has a line with '.\(match.1)'")
                }
                return text.replacing(/\\f[BIR]/, with: "").replacing("\\-", with: "-").replacing("\\&", with: "")
            }
            let commands = try manual("man1/rowtail.1")
            for (name, command) in try await Self.described().all().dropFirst() {
                #expect(commands.contains("\n.SS \(name)\n"), "\(name)")
                for option in command.arguments ?? [] where option.names != nil {
                    #expect(commands.contains("\n\(option.written)"), "\(name) \(option.written)")
                }
            }
            let configuration = try manual("man5/rowtail.yaml.5")
            let source = try DocumentationPage("docs/configuration.md")
            for heading in source.headings.dropFirst() {
                #expect(configuration.contains("\n.SH \(heading.uppercased())\n"), "\(heading)")
            }
            let keys = source.tables.filter { $0.columns.first == "key" }.flatMap { $0.code(0) }
            #expect(keys.count > 40)
            for key in keys { #expect(configuration.contains("\n\(key)"), "\(key)") }
        }
    }
}
