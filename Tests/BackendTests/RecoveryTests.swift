// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Backends

/// What the next run does with what a crash left.
@Suite struct RecoveryTests {
    @Test func `a program that outlived us is ended, and another one under its number is not`() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        let (pids, found) = AsyncStream.makeStream(of: Int32.self)
        let running = Task { try await Child.run("sleep", ["100"], deadline: .seconds(60)) { found.yield($0) } }
        var iterator = pids.makeAsyncIterator()
        let pid = try #require(await iterator.next())
        let note = try #require(ProcessNote(pid))
        let words = note.line.split(separator: " ")
        _ = try await pool.recover(["process \(pid) \((UInt64(words[2]) ?? 0) + 1)"])
        #expect(kill(pid, 0) == 0, "that was somebody else's number")
        _ = try await pool.recover([note.line])
        #expect(try await running.value.signal == SIGKILL)
    }

    @Test func `a resize that was cut off is undone, unless it was complete or the bytes may be somebody's`() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        func note(_ old: UInt64, _ new: UInt64) throws -> String {
            let status = try Directory.open(directory.path).status(of: "v")
            return WorkNote(.resize(old: old, new: new), status, name: "v").line
        }
        // What somebody has open is left alone.
        func change(_ body: (File) throws -> Void) throws {
            let file = try Directory.open(directory.path).look(at: "v").open(O_RDWR)
            try body(file)
            file.close()
        }
        // Reserved behind its end.
        try TestFiles.make(directory("v"), 4096)
        try change { try $0.reserve(4096, 1 << 20, growing: false) }
        #expect(try await !pool.recover([try note(4096, 1 << 20)]))
        #expect(TestFiles.status(directory("v")).map { $0.st_size == 4096 && $0.st_blocks <= 8 } == true)
        // Zeros written, but not all of them.
        try change { try $0.setSize(10000) }
        #expect(try await !pool.recover([try note(4096, 1 << 20)]))
        #expect(TestFiles.status(directory("v"))?.st_size == 4096)
        // Somebody's data.
        try change { try $0.write([1], at: 9000) }
        #expect(try await !pool.recover([try note(4096, 1 << 20)]))
        #expect(TestFiles.status(directory("v"))?.st_size == 9001)
        // Done.
        #expect(try await pool.recover([try note(4096, 9001)]))
    }

    @Test func `a rename in two steps is finished`() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        try TestFiles.make(directory("old"), content: "precious")
        link(directory("old"), directory("new"))
        symlink("old/new", directory(".cistern-test-0123"))
        symlink("old/other", directory(".cistern-test-4567"))
        try TestFiles.make(directory("other"), content: "another file")
        _ = try await pool.scan([:])
        #expect(directory.names == ["new", "other"])
    }
}
