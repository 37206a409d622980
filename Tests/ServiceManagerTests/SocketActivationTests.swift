// SPDX-License-Identifier: Apache-2.0

import Glibc
import ServiceManager
import TestSupport
import Testing

@Suite struct SocketActivationTests {
    /// What systemd passes, and the first of the descriptors: one after the other, far from those that others are given.
    private func activation(_ sockets: [CInt], names: String? = nil) throws -> (SocketActivation, start: CInt) {
        let start = try #require(
            (700..<1000).first { start in
                (0..<CInt(sockets.count)).allSatisfy { fcntl(start + $0, F_GETFD) < 0 }
            }
        )
        for (offset, socket) in sockets.enumerated() {
            try #require(dup2(socket, start + CInt(offset)) >= 0)
            close(socket)
        }
        var environment = ["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "\(sockets.count)"]
        environment["LISTEN_FDNAMES"] = names
        return (SocketActivation(environment: environment, start: start), start)
    }

    private func listening(_ family: Int32, at path: String? = nil, listens: Bool = true) throws -> CInt {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        if let path {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(status == 0)
        }
        if listens { try #require(listen(descriptor, 10) == 0) }
        return descriptor
    }

    private func reason(_ body: () throws -> [ActivatedSocket]) -> String? {
        #expect(throws: SocketActivation.Failure.self, performing: { _ = try body() })?.description
    }

    @Test func `sockets come with their names and addresses, in the order of the unit`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("rowtail.sock")
        let passed = [try listening(AF_INET), try listening(AF_INET6), try listening(AF_UNIX, at: path)]
        let (activation, _) = try activation(passed, names: "http:http6:local")
        let sockets = try activation.sockets()
        #expect(sockets.map(\.name) == ["http", "http6", "local"])
        #expect(sockets.map(\.isTCP) == [true, true, false])
        #expect(sockets[0].description.wholeMatch(of: /0\.0\.0\.0:\d+/) != nil, "\(sockets[0])")
        #expect(sockets[1].description.wholeMatch(of: /\[::\]:\d+/) != nil, "\(sockets[1])")
        #expect(sockets[2].description == "unix:\(path)")
        #expect(try activation.sockets(named: "local").map(\.description) == ["unix:\(path)"])
    }

    @Test func `they don't reach programs that are started`() throws {
        let (activation, start) = try activation([try listening(AF_INET)], names: "http")
        #expect(try activation.sockets().map(\.descriptor) == [start])
        #expect(fcntl(start, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `several sockets may have one name, and a unit may name none`() throws {
        let (two, _) = try activation([try listening(AF_INET), try listening(AF_INET6)], names: "http:http")
        #expect(try two.sockets(named: "http").count == 2)
        let (unnamed, _) = try activation([try listening(AF_INET)])
        #expect(try unnamed.sockets(named: "unknown").count == 1)
        #expect(try unnamed.sockets().count == 1)
    }

    @Test(
        arguments: [
            [:],
            ["LISTEN_FDS": "1"],
            ["LISTEN_PID": "7", "LISTEN_FDS": "0"],
            ["LISTEN_PID": "7", "LISTEN_FDS": "many"],
            ["LISTEN_PID": "8", "LISTEN_FDS": "1"],
        ]
    )
    func `nothing was passed to this process`(environment: [String: String]) {
        let activation = SocketActivation(environment: environment, processID: 7)
        #expect(
            reason { try activation.sockets() }
                == "systemd passed no sockets; start rowtail.socket, or give an address"
        )
    }

    @Test func `a name that no socket has is told with those that there are`() throws {
        let (activation, _) = try activation(
            [try listening(AF_INET), try listening(AF_INET)],
            names: "http:admin"
        )
        #expect(
            reason { try activation.sockets(named: "metrics") }
                == "systemd passed no socket named 'metrics', but 'admin', 'http'; set FileDescriptorName=metrics in its unit"
        )
    }

    @Test func `what doesn't take streams is refused, and a closed descriptor too`() throws {
        let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        let connecting = try listening(AF_INET, listens: false)
        let file = open("/dev/null", O_RDONLY)
        let names = "http:datagrams:connecting:file"
        let (activation, start) = try activation(
            [try listening(AF_INET), datagrams, connecting, file],
            names: names
        )
        for (offset, name) in ["datagrams", "connecting", "file"].enumerated() {
            #expect(
                reason { try activation.sockets(named: name) }
                    == "'\(name)', descriptor \(start + 1 + CInt(offset)), that systemd passed is no listening stream socket; "
                    + "use ListenStream= with Accept=no in its unit"
            )
        }
        // One that is in order can be had all the same.
        #expect(try activation.sockets(named: "http").count == 1)
        close(start)
        #expect(
            reason { try activation.sockets(named: "http") }
                == "'http', descriptor \(start), that systemd passed is no listening stream socket; "
                + "use ListenStream= with Accept=no in its unit"
        )
    }
}
