// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite struct DirectoryWatchTests {
    @Test func aCopyIsToldAtItsCreationAndAtItsLastClose() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        let (kind, changes) = try await pool.watch()
        #expect(kind == .inotify)
        var iterator = changes.makeAsyncIterator()
        let descriptor = open(directory("copy"), O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        #expect(await iterator.next() == .entry("copy"))
        #expect(try await pool.volume("copy").capacity == 0)
        write(descriptor, "12345", 5)
        close(descriptor)
        #expect(await iterator.next() == .entry("copy"))
        #expect(try await pool.volume("copy").capacity == 5)
    }

    @Test func everythingThatHappensToNamesIsTold() async throws {
        let directory = try TemporaryDirectory()
        let outside = try TemporaryDirectory()
        try TestFiles.make(directory("a"))
        let pool = try await DirectoryPool.started(directory)
        _ = try await pool.scan([:])
        let (_, changes) = try await pool.watch()
        var iterator = changes.makeAsyncIterator()
        rename(directory("a"), directory("b"))
        #expect(await iterator.next() == .renamed("a", "b"))
        chmod(directory("b"), 0o600)
        #expect(await iterator.next() == .entry("b"))
        rename(directory("b"), outside("b"))
        #expect(await iterator.next() == .entry("b"))
        rename(outside("b"), directory("c"))
        #expect(await iterator.next() == .entry("c"))
        unlink(directory("c"))
        #expect(await iterator.next() == .entry("c"))
        try TestFiles.make(directory(".cistern-temporary"))
        rename(directory(".cistern-temporary"), directory("d"))
        #expect(await iterator.next() == .entry("d"))
    }

    @Test func theNextNameOfAFileTakesOver() async throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("first"), 4096)
        let pool = try await DirectoryPool.started(directory)
        let known = try await pool.scan([:]).volumes
        let (_, changes) = try await pool.watch()
        var iterator = changes.makeAsyncIterator()
        link(directory("first"), directory("second"))
        #expect(await iterator.next() == .entry("second"))
        #expect(try await pool.look(at: "second") == .skipped("another name of first"))
        unlink(directory("first"))
        #expect(await iterator.next() == .everything)
        let after = try await pool.scan(known).volumes
        #expect(after.keys.sorted() == ["second"] && after["second"]?.key == known["first"]?.key)
    }

    @Test func theEndOfTheDirectoryIsTold() async throws {
        let directory = try TemporaryDirectory()
        for (name, end) in [("removed", { rmdir($0) }), ("moved away", { rename($0, $0 + "-other") })] as [(String, (String) -> Int32)] {
            let path = directory(name)
            mkdir(path, 0o755)
            let pool = try DirectoryPool.make(path)
            _ = try await pool.start(.ignored())
            let (_, changes) = try await pool.watch()
            try #require(end(path) == 0)
            #expect(await changes.first { _ in true } == .lost("Directory \(path) was \(name)."))
        }
    }

    @Test func twoPoolsOnOneDirectoryAreBothTold() async throws {
        let directory = try TemporaryDirectory()
        let pools = [try await DirectoryPool.started(directory), try await DirectoryPool.started(directory)]
        let (_, first) = try await pools[0].watch()
        let (_, second) = try await pools[1].watch()
        try await pools[0].stop(.ignored())
        for await _ in first { Issue.record("a stopped pool is told") }
        try TestFiles.make(directory("v"))
        #expect(await second.first { _ in true } == .entry("v"))
    }

    @Test func moreThanTheKernelKeepsMeansEverything() async throws {
        let directory = try TemporaryDirectory()
        // An instance of its own, or all other tests would be told to look at everything.
        let pool = try DirectoryPool.make(directory.path, inotify: Inotify())
        _ = try await pool.start(.ignored())
        let (_, changes) = try await pool.watch()
        let path = directory.path
        // On the loop, so that nobody reads what the kernel queues.
        try await Task { @LoopActor in
            for number in 0..<6000 {
                try TestFiles.make("\(path)/\(number)")
                unlink("\(path)/\(number)")
            }
        }.value
        var sawEverything = false
        for await change in changes where change == .everything {
            sawEverything = true
            break
        }
        #expect(sawEverything)
        try TestFiles.make(directory("after"))
        #expect(await changes.first { $0 == .entry("after") } != nil)
    }

    @Test func aCancelledConsumerEndsTheWatch() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        let (_, changes) = try await pool.watch()
        let consumer = Task { for await _ in changes {} }
        consumer.cancel()
        await consumer.value
        let (_, again) = try await pool.watch()
        try TestFiles.make(directory("v"))
        #expect(await again.first { _ in true } == .entry("v"))
    }
}
