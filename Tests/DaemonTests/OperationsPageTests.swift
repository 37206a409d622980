// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// What `docs/operations.md` says of metrics, against those that the program has.
    @Suite struct OperationsPageTests {
        /// `name{label,…}` of every metric, of those in the samples of `/metrics`.
        private static func served(_ text: String) -> Set<String> {
            var kinds: [String: Substring] = [:]
            for match in text.matches(of: /(?m)^# TYPE (\w+) (\w+)$/) { kinds["\(match.1)"] = match.2 }
            var found: Set<String> = []
            for match in text.matches(of: /(?m)^(\w+?)(?:\{(.*)\})? \S+$/) {
                var name = "\(match.1)"
                for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
                    let base = "\(name.dropLast(suffix.count))"
                    if kinds[base] == "histogram" { name = base }
                }
                let labels = (match.2 ?? "").matches(of: /(\w+)="/).map { "\($0.1)" }.filter { $0 != "le" }
                found.insert(labels.isEmpty ? name : "\(name){\(labels.joined(separator: ","))}")
            }
            #expect(Set(found.map { String($0.prefix { $0 != "{" }) }) == Set(kinds.keys))
            return found
        }

        @Test func `the page has every metric with its labels, and no other`() async throws {
            let database = try TemporaryDatabase(journalMode: "wal")
            try database.insertOrders(1)
            let daemon = try await DaemonProcess.start(
                config: try DaemonProcess.write(
                    "listen: 127.0.0.1:0\ndatabase: \(database.path)\nfeeds: {orders: {}}\n",
                    in: database.directory
                )
            )
            // A head that isn't known yet has no figure.
            try await eventually { try await daemon.get("/readyz").status == 200 }
            let metrics = try await daemon.get("/metrics")
            #expect(metrics.status == 200)
            let page = try String(
                contentsOf: TestPrograms.checkout.appendingPathComponent("docs/operations.md"),
                encoding: .utf8
            )
            let rows = page.matches(of: /(?m)^\| `(rowtail_[^`]+)` \|[^|]*\| `([^`]+)`[^|]*\|$/)
            #expect(Set(rows.map { "\($0.1)" }) == Self.served(metrics.body))
            for row in rows {
                let name = row.1.prefix { $0 != "{" }
                #expect(row.2.contains(name), "the alert of \(name) is about another metric: \(row.2)")
            }
            #expect(try await daemon.terminate() == .exit(0))
        }
    }
}
