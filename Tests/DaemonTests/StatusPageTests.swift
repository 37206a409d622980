// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension DaemonTests {
    /// The status page in a real browser: `Programs/status_page.py` is its users, one at a time.
    @Suite struct StatusPageTests {
        @Test(arguments: [
            "sees-rows", "pauses", "survives-restarts", "is-told-of-breaks", "comes-by-a-proxy", "has-a-token",
            "has-no-mouse", "reads-with-difficulty",
        ])
        func `the page does its part for a user who`(user: String) async throws {
            let port = try DaemonProcess.freePort()
            let program = try RunningProgram(
                try await TestPrograms.python(),
                [TestPrograms.path("status_page.py"), DaemonProcess.executable, "\(port)", user]
            )
            #expect(try await program.end(within: .seconds(170)) == .exit(0), "\(program.state.value)")
        }
    }
}
