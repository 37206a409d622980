// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

extension DaemonTests {
    @Suite struct SlowDiskTests {
        @Test func `W1: a commit that takes long to sync is seen without a tick`() async throws {
            let database = try TemporaryDatabase(journalMode: "wal")
            let library = database.directory.file("slow_sync.so")
            try Shell.run("clang", ["-O1", "-shared", "-fPIC", "-o", library, TestPrograms.path("slow_sync.c")])
            let yaml = "listen: 127.0.0.1:0\ndatabase: \(database.path)\npoll_interval: 1h\nfeeds: {orders: {}}\n"
            let daemon = try await DaemonProcess.start(config: try DaemonProcess.write(yaml, in: database.directory))
            try await daemon.logged("feed is live")
            let (client, _) = try await StreamClient.stream(port: daemon.port, "/feeds/orders")
            #expect(try await client.frame()?.id == "earliest")
            // The log is written, then synced, then its index; the daemon's connection keeps it from being moved over.
            let insert = "PRAGMA synchronous = FULL; INSERT INTO orders (customer) VALUES ('ada')"
            try Shell.run("env", ["LD_PRELOAD=\(library)", "sqlite3", database.path, insert])
            #expect(try await client.event()?.id == "1")
            await client.close()
            #expect(try await daemon.terminate() == .exit(0))
        }
    }
}
