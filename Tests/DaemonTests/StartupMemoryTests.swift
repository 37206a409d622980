// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import ServiceManager
import TestSupport
import Testing

/// Which memory is given back after the start, in this process.
@Suite struct StartupMemoryTests {
    private static let size = 64 << 10

    /// Maps a file of ones as code, after the mapping was written to or only read.
    private func mapCode(_ prepare: (UnsafeMutableRawPointer) -> Void) throws -> UnsafeMutableRawPointer {
        let directory = try TemporaryDirectory()
        let path = directory.file("code")
        try Data(repeating: 1, count: Self.size).write(to: URL(fileURLWithPath: path))
        let file = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        let code = try #require(mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0))
        try #require(code != MAP_FAILED)
        prepare(code)
        try #require(mprotect(code, Self.size, PROT_READ | PROT_EXEC) == 0)
        return code
    }

    /// The size of the part of a mapping that is in RAM, in KiB.
    private func resident(_ code: UnsafeMutableRawPointer) throws -> Int {
        // In several reads: the kernel gives a page at a time.
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps"))
        let maps = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        let start = String(UInt(bitPattern: code), radix: 16)
        let lines = maps.split(separator: "\n").drop { !$0.hasPrefix("\(start)-") }
        let line = try #require(lines.first { $0.hasPrefix("Rss:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }

    @Test func `code that is as in its file is let go`() throws {
        let code = try mapCode { code in
            for offset in stride(from: 0, to: Self.size, by: 4096) {
                #expect(code.load(fromByteOffset: offset, as: UInt8.self) == 1)
            }
        }
        defer { munmap(code, Self.size) }
        #expect(try resident(code) > 0)
        StartupMemory.release()
        #expect(try resident(code) == 0)
        #expect(code.load(as: UInt8.self) == 1)
    }

    @Test func `code that was changed in memory stays`() throws {
        let code = try mapCode { $0.storeBytes(of: 2, toByteOffset: 8192, as: UInt8.self) }
        defer { munmap(code, Self.size) }
        StartupMemory.release()
        #expect(code.load(fromByteOffset: 8192, as: UInt8.self) == 2)
        #expect(code.load(as: UInt8.self) == 1)
    }
}
