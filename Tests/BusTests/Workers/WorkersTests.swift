// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc
import Testing

@testable import EventLoop

@Suite(.timeLimit(.minutes(1)))
struct WorkersTests {
    @Test func `starts no thread before there is work`() {
        #expect(Workers().statistics.threads == 0)
    }

    @Test func `uses a thread again`() async throws {
        let workers = Workers()
        let lane = workers.lane("a", width: 2)
        for _ in 0..<100 { try await lane.run {} }
        // The answer may be there before the thread is idle again: a few more than two, never one for each.
        #expect(workers.statistics.threads < 50)
    }

    @Test func `ends idle threads`() async throws {
        let workers = Workers(patience: .milliseconds(20))
        try await workers.lane("a").run {}
        while workers.statistics.threads > 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await workers.lane("a").run {}
    }

    @Test func `blocks every signal on its threads`() async throws {
        let blocked = try await Workers().lane("a").run {
            var set = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &set)
            return sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGCHLD) == 1 && sigismember(&set, SIGUSR1) == 1
        }
        #expect(blocked)
    }

    @Test func `lanes do not wait for each other`() async throws {
        let workers = Workers()
        let gate = Gate()
        let slow = workers.lane("slow", width: 2)
        async let one: Void = slow.run { gate.pass() }
        async let two: Void = slow.run { gate.pass() }
        await gate.arrived(2)
        #expect(try await workers.lane("quick").run { 1 } == 1)
        #expect(workers.statistics.threads == 3)
        gate.open()
        _ = try await (one, two)
    }

    @Test func `works when it is let go of while a body runs`() async throws {
        let gate = Gate()
        let task = Task { try await Workers().lane("a").run { gate.pass() } }
        await gate.arrived(1)
        gate.open()
        try await task.value
    }

    @Test func `a queue gives back what it was given, in order`() {
        var queue = Fifo<Int>()
        var expected = 0
        var given = 0
        for round in 0..<500 {
            for _ in 0..<(round % 7) {
                queue.push(given)
                given += 1
            }
            for _ in 0..<(round % 5) {
                guard let number = queue.pop() else { continue }
                #expect(number == expected)
                expected += 1
            }
            #expect(queue.count == given - expected)
        }
    }

    @Test func `deadlines come in order of time, and not when removed`() async throws {
        let deadlines = Deadlines()
        let (seen, continuation) = AsyncStream<Int>.makeStream()
        let start = monotonicNanoseconds()
        var tokens: [Deadlines.Token] = []
        for number in [5, 1, 4, 2, 3] {
            let token = deadlines.add(at: start + UInt64(number) * 10_000_000) {
                continuation.yield(number)
                if number == 5 { continuation.finish() }
            }
            if let token, number == 2 || number == 4 { tokens.append(token) }
        }
        for token in tokens { deadlines.remove(token) }
        var order: [Int] = []
        for await number in seen { order.append(number) }
        #expect(order == [1, 3, 5])
        deadlines.close()
    }
}
