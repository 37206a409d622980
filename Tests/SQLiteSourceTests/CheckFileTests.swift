// SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import RowtailCore
import TestSupport
import Testing

@testable import SQLiteSource

/// What a check says of a database file: where it is, who may read it, and what its header tells.
@Suite struct CheckFileTests {
    private static let watched = WatchedTable(feed: "orders", table: "orders")

    /// The lines that mount a file system where a test has its files.
    private static func mounts(_ type: String, at point: String, options: String = "rw") -> MountTable {
        MountTable(
            mountinfo: """
                21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
                22 21 0:40 / \(point) \(options),nosuid shared:2 master:1 - \(type) host:/export rw,vers=4.2

                """
        )
    }

    @Test func `the file system of a path is that of the mount nearest above it`() {
        let table = MountTable(
            mountinfo: #"""
                21 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
                22 21 0:40 / /srv rw - nfs4 host:/srv rw
                23 22 0:41 / /srv/my\040disk ro,nosuid shared:7 - xfs /dev/vdb rw
                24 22 0:42 / /srv/auto rw - autofs systemd-1 rw
                25 24 0:43 / /srv/auto rw - cifs //host/share ro
                a line of another kind
                """#
        )
        let types = ["/app.db", "/srvx/a", "/srv/a", "/srv/my disk/a", "/srv/auto/b/a"].map {
            table.mount(of: $0)?.type
        }
        #expect(types == ["ext4", "ext4", "nfs4", "xfs", "cifs"])
        #expect(table.mounts.map(\.isReadOnly) == [false, false, true, false, true])
        #expect(MountTable(mountinfo: "").mount(of: "/a") == nil)
        #expect(MountTable.current.mount(of: "/proc/self/stat")?.type == "proc")
    }

    @Test(arguments: ["nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "fuse.sshfs", "fuse.glusterfs"])
    func `a network file system is refused`(type: String) throws {
        let database = try TemporaryDatabase()
        let mounts = Self.mounts(type, at: database.directory.path)
        let findings = FileCheck(path: database.path, mounts: mounts).findings()
        let refusal = try #require(findings.last)
        #expect(refusal.level == .refused && refusal.topic == "access")
        #expect(
            refusal.sentence
                == "database '\(database.path)' is on a network file system (\(type)), where SQLite's locks can't be relied "
                + "on; move it to a local one, or run rowtail on the machine that has it"
        )
        // And the daemon doesn't open it, in the same words.
        let file = try #require(FileStat(path: database.path))
        let error = #expect(throws: SourceError.self) {
            try FileAccess.check(path: database.path, file: file, mounts: mounts)
        }
        #expect(error?.code == .broken && error?.message == refusal.sentence)
    }

    @Test(arguments: [
        ("9p", true), ("virtiofs", true), ("fuse.bindfs", true), ("fuse", true), ("xfs", false), ("btrfs", false),
        ("overlay", false), ("tmpfs", false),
    ])
    func `a file system on which locks may not reach everyone is warned of`(type: String, isWarned: Bool) throws {
        let database = try TemporaryDatabase()
        let findings = FileCheck(path: database.path, mounts: Self.mounts(type, at: database.directory.path)).findings()
        let finding = try #require(findings.first { $0.topic == "file system" })
        #expect(finding.level == (isWarned ? .warning : .verified))
        #expect(finding.message.contains(type))
        #expect(!findings.contains { $0.level == .refused })
    }

    @Test(arguments: ["wal", "delete", "truncate", "persist"])
    func `the journal mode is told, with what it means for the application`(mode: String) throws {
        let database = try TemporaryDatabase(journalMode: mode)
        let findings = FileCheck(path: database.path).findings()
        let journal = try #require(findings.first { $0.topic == "journal" })
        #expect(journal.level == (mode == "wal" ? .verified : .warning))
        #expect(journal.sql == (mode == "wal" ? nil : "PRAGMA journal_mode = WAL;"))
        if let sql = journal.sql {
            try database.execute(sql)
            let after = FileCheck(path: database.path).findings()
            #expect(after.first { $0.topic == "journal" }?.level == .verified)
        }
    }

    @Test func `owner, group and mode of all that belongs to the database are told`() throws {
        let database = try TemporaryDatabase()
        let application = try database.connect()
        try application.read { _ = try $0.tableExists("orders") }
        try Shell.run("chmod", ["640", database.path])
        try Shell.run("chmod", ["2750", database.directory.path])
        let owner = try Shell.run("stat", ["-c", "%U:%G", database.path]).trimmingCharacters(in: .newlines)
        let owners = FileCheck(path: database.path).findings().first { $0.topic == "owners" }
        #expect(
            owners?.message
                == "app.db 0640 \(owner), app.db-wal 0644 \(owner), app.db-shm 0644 \(owner), directory 2750 \(owner)"
        )
        try application.close()
    }

    @Test func `both versions of SQLite are told`() throws {
        let database = try TemporaryDatabase()
        let library = try database.shell("SELECT sqlite_version()").trimmingCharacters(in: .newlines)
        let versions = FileCheck(path: database.path).findings().first { $0.topic == "sqlite" }?.message ?? ""
        #expect(versions.hasSuffix("last written by \(library)"), "\(versions)")
        #expect(versions.wholeMatch(of: /read by 3\.\d+\.\d+, last written by 3\.\d+\.\d+/) != nil, "\(versions)")
        #expect(FileHeader.version(3_054_001) == "3.54.1")
    }

    @Test func `what is no database yet, or never will be, is told as the daemon tells it`() throws {
        let directory = try TemporaryDirectory()
        func report(_ name: String) -> FeedReport {
            let check = FeedCheck(Self.watched, path: directory.file(name))
            return CheckReport(config: "", notices: [], checks: [check]).feeds[0]
        }
        #expect(report("none.db").verdict == .waiting)
        #expect(
            report("none.db").tableFindings.map(\.sentence) == [
                "database file '\(directory.file("none.db"))' is not there yet; correct the path, or check again when the "
                    + "application has made it"
            ]
        )
        try Shell.run("touch", [directory.file("empty.db")])
        #expect(report("empty.db").verdict == .waiting)
        #expect(report("empty.db").tableFindings.map(\.topic) == ["table"])
        try Shell.run("sh", ["-c", "head -c 8192 /dev/urandom > \(directory.file("noise.db"))"])
        #expect(report("noise.db").verdict == .refused)
        #expect(
            report("noise.db").tableFindings.map(\.sentence) == [
                "database '\(directory.file("noise.db"))' is no SQLite database, or is encrypted; check the path"
            ]
        )
        #expect(report("").verdict == .refused)
        #expect(
            report("").fileFindings.last?.sentence
                == "'\(directory.path)/' is a directory, and no database; name the file in it"
        )
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["empty.db", "noise.db"]
        )
    }

    @Test func `a locked database is asked again for a while`() throws {
        let database = try TemporaryDatabase(journalMode: "delete")
        let lock = try ExclusiveLock(database.path)
        let check = FeedCheck(Self.watched, path: database.path, patience: .milliseconds(50))
        let locked = CheckReport(config: "", notices: [], checks: [check]).feeds[0]
        #expect(locked.verdict == .waiting)
        #expect(locked.tableFindings.map(\.topic) == ["lock"])
        #expect(locked.tableFindings.first?.remedy == "check again when it is free")
        try lock.release()
        #expect(CheckReport(config: "", notices: [], checks: [check]).feeds[0].verdict == .warnings)
    }
}
