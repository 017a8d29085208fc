// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc
import Testing

@testable import EventLoop

/// Runs tasks on a pool of its own, so that nothing changes for the other tests.
private final class PoolExecutor: TaskExecutor {
    private let pool = Locked<GlobalPool?>(nil)

    init(width: Int) {
        let pool = GlobalPool(width: width) { [unowned self] in $0.runSynchronously(on: asUnownedTaskExecutor()) }
        self.pool.withLock { $0 = pool }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pool.withLock { $0 }?.submit(job)
    }

    var threads: Int { pool.withLock { $0?.threads ?? 0 } }
}

/// Which thread runs this.
private nonisolated(nonsending) func threadName() async -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    let descriptor = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
    let count = read(descriptor, &bytes, bytes.count)
    close(descriptor)
    return String(decoding: bytes.prefix(max(0, count - 1)), as: UTF8.self)
}

@Suite(.timeLimit(.minutes(1)))
struct GlobalPoolTests {
    // The executors live as long as the process: so do their threads.
    private static let wide = PoolExecutor(width: 2)
    private static let idle = PoolExecutor(width: 3)

    @Test func `is no wider than said, and forgets nothing`() async {
        let counts = Locked((now: 0, most: 0, done: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<500 {
                group.addTask(executorPreference: Self.wide) {
                    for _ in 0..<4 {
                        counts.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.done) }
                        sched_yield()
                        counts.withLock { $0 = ($0.now - 1, $0.most, $0.done + 1) }
                        await Task.yield()
                    }
                }
            }
        }
        #expect(counts.withLock { $0.done } == 2000)
        #expect(counts.withLock { $0.most } <= 2)
        #expect(Self.wide.threads == 2)
    }

    @Test func `starts threads on demand alone`() async {
        #expect(Self.idle.threads == 0)
        let name = await Task(executorPreference: Self.idle) { await threadName() }.value
        #expect(name == "tasks")
        #expect(Self.idle.threads == 1)
    }

    @Test func `its threads have stacks as the main thread has them`() async {
        @Sendable func depth(_ left: Int) -> Int {
            var room = [UInt8](repeating: 1, count: 64)
            return left == 0
                ? 0
                : withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) { buffer in
                    buffer.initializeMemory(as: UInt8.self, repeating: UInt8(left & 1))
                    room[left % 64] = buffer[0]
                    return depth(left - 1) + 1
                }
        }
        #expect(await Task(executorPreference: Self.wide) { depth(1000) }.value == 1000)
    }
}

@Suite(.timeLimit(.minutes(1)))
struct SleepTests {
    @Test func `lasts as long as said`() async throws {
        let workers = Workers()
        try await withThrowingTaskGroup(of: (Int, Duration).self) { group in
            for milliseconds in [30, 5, 15, 0, -5] {
                group.addTask {
                    let start = ContinuousClock.now
                    try await workers.sleep(for: .milliseconds(milliseconds))
                    return (milliseconds, ContinuousClock.now - start)
                }
            }
            for try await (milliseconds, duration) in group { #expect(duration >= .milliseconds(milliseconds)) }
        }
    }

    @Test func `ends at once when its task is cancelled, before or meanwhile`() async {
        let workers = Workers()
        for early in [true, false] {
            let task = Task {
                if early { while !Task.isCancelled { await Task.yield() } }
                try await workers.sleep(for: .seconds(3600))
            }
            if !early { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }
}
