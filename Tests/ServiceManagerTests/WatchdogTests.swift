// SPDX-License-Identifier: Apache-2.0

import ServiceManager
import Testing

@Suite struct WatchdogTests {
    @Test func `the manager is told twice within its timeout`() {
        let watchdog = Watchdog(environment: ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], processID: 7)
        #expect(watchdog.timeout == .seconds(30))
        #expect(watchdog.interval == .seconds(15))
    }

    @Test func `a timeout without a process is for whoever reads it`() {
        #expect(Watchdog(environment: ["WATCHDOG_USEC": "500000"]).interval == .milliseconds(250))
    }

    @Test(
        arguments: [
            [:],
            ["WATCHDOG_USEC": "0"],
            ["WATCHDOG_USEC": "soon"],
            ["WATCHDOG_USEC": "-1"],
            ["WATCHDOG_USEC": "18446744073709551615"],
            ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"],
            ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"],
        ]
    )
    func `nobody watches`(environment: [String: String]) {
        let watchdog = Watchdog(environment: environment, processID: 7)
        #expect(watchdog.timeout == nil && watchdog.interval == nil)
    }
}
