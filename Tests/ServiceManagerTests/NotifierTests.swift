// SPDX-License-Identifier: Apache-2.0

import Glibc
import ServiceManager
import TestSupport
import Testing

@Suite struct NotifierTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: ["path", "@abstract"]) func `each call sends one datagram`(kind: String) throws {
        let name = kind == "path" ? directory.file("notify") : "@\(directory.file("notify"))"
        let manager = try StandInManager(name)
        let notifier = Notifier(environment: ["NOTIFY_SOCKET": name])
        #expect(notifier.isOn)
        notifier.ready(status: "3 feeds")
        notifier.status("2 streams,\nlag 0 rows")
        notifier.watchdog()
        notifier.stopping()
        #expect(
            manager.received() == [
                "READY=1\nSTATUS=3 feeds", "STATUS=2 streams, lag 0 rows", "WATCHDOG=1", "STOPPING=1",
            ]
        )
    }

    @Test func `a reload tells the monotonic time at which it begins`() throws {
        let manager = try StandInManager(directory.file("notify"))
        let notifier = Notifier(environment: ["NOTIFY_SOCKET": directory.file("notify")])
        var (before, after) = (timespec(), timespec())
        clock_gettime(CLOCK_MONOTONIC, &before)
        notifier.reloading()
        clock_gettime(CLOCK_MONOTONIC, &after)
        notifier.ready(status: "")
        let received = manager.received()
        let time = try #require(try /RELOADING=1\nMONOTONIC_USEC=(\d+)/.wholeMatch(in: received[0])?.1)
        let microseconds = try #require(Int(time))
        func total(_ time: timespec) -> Int { time.tv_sec * 1_000_000 + time.tv_nsec / 1_000 }
        #expect((total(before)...total(after)).contains(microseconds))
        #expect(received[1] == "READY=1\nSTATUS=")
    }

    @Test(arguments: [nil, "", "notify", "@", "vsock:2:1234", "/\(String(repeating: "a", count: 107))"])
    func `without a usable socket nobody is told`(name: String?) {
        let notifier = Notifier(environment: name.map { ["NOTIFY_SOCKET": $0] } ?? [:])
        #expect(!notifier.isOn)
        notifier.ready(status: "nobody hears it")
        notifier.watchdog()
    }

    @Test func `a manager that isn't there is no error`() throws {
        let name = directory.file("notify")
        let notifier = Notifier(environment: ["NOTIFY_SOCKET": name])
        notifier.ready(status: "3 feeds")
        // What it missed is told once it is there.
        let manager = try StandInManager(name)
        notifier.watchdog()
        #expect(manager.received() == ["READY=1\nSTATUS=3 feeds\nWATCHDOG=1"])
    }

    @Test func `what a busy manager doesn't take goes out later, the newest of each`() throws {
        let name = directory.file("notify")
        let manager = try StandInManager(name)
        let notifier = Notifier(environment: ["NOTIFY_SOCKET": name])
        // More than any queue holds; net.unix.max_dgram_qlen has its length.
        for number in 0..<10_000 { notifier.status("\(number)") }
        notifier.reloading()
        notifier.ready(status: "reloaded")
        let taken = manager.received()
        #expect(taken.count < 10_000 && taken.last == "STATUS=\(taken.count - 1)")
        notifier.watchdog()
        notifier.watchdog()
        #expect(manager.received() == ["READY=1\nSTATUS=reloaded\nWATCHDOG=1", "WATCHDOG=1"])
    }

    @Test func `a process without a descriptor to spare still feeds its watchdog`() throws {
        let name = directory.file("notify")
        let manager = try StandInManager(name)
        let notifier = Notifier(environment: ["NOTIFY_SOCKET": name])
        var limit = rlimit()
        try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        var none = rlimit(rlim_cur: 0, rlim_max: limit.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
        let probe = dup(0)
        notifier.watchdog()
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(probe < 0)
        #expect(manager.received() == ["WATCHDOG=1"])
    }
}
