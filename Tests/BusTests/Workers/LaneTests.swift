// SPDX-License-Identifier: LGPL-2.1-or-later
import Testing

@testable import EventLoop

/// Bodies block here until the test lets them go.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var arrived = 0
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Locked(State())

    func open() {
        state.withLock { $0.isOpen = true }
        state.broadcast()
    }

    /// For bodies: blocks until the gate is open.
    func pass() {
        let reached = state.withLock { state in
            state.arrived += 1
            defer { state.waiters.removeAll { $0.count <= state.arrived } }
            return state.waiters.filter { $0.count <= state.arrived }
        }
        for waiter in reached { waiter.continuation.resume() }
        _ = state.wait { $0.isOpen ? true : nil }
    }

    /// For tests: suspends until `count` bodies have come here.
    func arrived(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let enough = state.withLock { state in
                if state.arrived < count { state.waiters.append((count, continuation)) }
                return state.arrived >= count
            }
            if enough { continuation.resume() }
        }
    }
}

private struct Refused: Error, Equatable { let number: Int }

@Suite(.timeLimit(.minutes(1)))
struct LaneTests {
    private let workers = Workers()

    @Test func `answers with what the body answers, and throws what it throws`() async throws {
        let lane = workers.lane("a")
        #expect(try await lane.run { 42 } == 42)
        await #expect(throws: Refused(number: 7)) { try await lane.run { () throws(Refused) -> Int in throw Refused(number: 7) } }
    }

    @Test func `never runs more bodies at once than it is wide`() async throws {
        let lane = workers.lane("a", width: 3)
        let seen = Locked((now: 0, most: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    try await lane.run {
                        seen.withLock {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        for _ in 0..<1000 { _ = seen.withLock { $0.now } }
                        seen.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(seen.withLock { $0.most } <= 3)
        #expect(workers.statistics.threads <= 6)  // one may still be delivering while the next one begins
    }

    @Test func `runs short bodies before bulk ones, in order inside a class`() async throws {
        let lane = workers.lane("a", width: 1)
        let gate = Gate()
        let order = Locked([String]())
        async let first: Void = lane.run { gate.pass() }
        await gate.arrived(1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, priority) in [Lane.Priority.bulk, .bulk, .short, .short].enumerated() {
                group.addTask { try await lane.run(priority) { order.withLock { $0.append("\(priority)\(number)") } } }
                await lane.queued(number + 1)
            }
            gate.open()
            try await group.waitForAll()
        }
        try await first
        #expect(order.withLock { $0 } == ["short2", "short3", "bulk0", "bulk1"])
    }

    @Test func `bulk bodies leave a thread to short ones`() async throws {
        let lane = workers.lane("a", width: 2)
        let gate = Gate()
        async let one: Void = lane.run(.bulk) { gate.pass() }
        async let two: Void = lane.run(.bulk) { gate.pass() }
        await gate.arrived(1)
        #expect(try await lane.run { 1 } == 1)
        gate.open()
        _ = try await (one, two)
    }

    @Test func `a hung body is written off at its deadline, replaced, and its late answer discarded`() async throws {
        let lane = workers.lane("a", width: 1)
        let gate = Gate()
        let (discarded, continuation) = AsyncStream<Int>.makeStream()
        let hung = Task {
            try await lane.run(
                deadline: .milliseconds(50),
                discard: { continuation.yield($0) },
                {
                    gate.pass()
                    return 9
                })
        }
        await #expect(throws: LaneError.deadline) { try await hung.value }
        #expect(lane.writtenOff == 1)
        #expect(workers.statistics.writtenOff == 1)
        #expect(try await lane.run(deadline: .seconds(30)) { 5 } == 5)
        gate.open()
        var late = discarded.makeAsyncIterator()
        #expect(await late.next() == 9)
        #expect(lane.writtenOff == 0)
        #expect(workers.statistics.writtenOff == 0)
    }

    @Test func `a short body behind hung ones has an answer too`() async throws {
        let lane = workers.lane("a", width: 1)
        let gate = Gate()
        async let hung: Void = lane.run(.bulk) { gate.pass() }
        await gate.arrived(1)
        await #expect(throws: LaneError.deadline) { try await lane.run(deadline: .milliseconds(20)) { 1 } }
        #expect(lane.writtenOff == 0)
        gate.open()
        try await hung
    }

    @Test func `a queued bulk body's deadline does not run yet`() async throws {
        let lane = workers.lane("a", width: 1)
        let gate = Gate()
        async let first: Void = lane.run(.bulk) { gate.pass() }
        await gate.arrived(1)
        let second = Task { try await lane.run(.bulk, deadline: .milliseconds(100)) { 2 } }
        await #expect(throws: LaneError.deadline) { try await lane.run(deadline: .milliseconds(150)) { 1 } }
        gate.open()
        try await first
        #expect(try await second.value == 2)
    }

    @Test func `a task cancelled while queued never runs its body`() async throws {
        let lane = workers.lane("a", width: 1)
        let gate = Gate()
        let ran = Locked(false)
        async let first: Void = lane.run { gate.pass() }
        await gate.arrived(1)
        let second = Task { try await lane.run(deadline: .seconds(60)) { ran.withLock { $0 = true } } }
        await lane.queued(1)
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        gate.open()
        try await first
        try await lane.run {}
        #expect(!ran.withLock { $0 })
    }

    @Test func `a task cancelled before it came is refused`() async {
        let lane = workers.lane("a")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await lane.run {}
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `refuses more bodies when too many hang`() async throws {
        let lane = workers.lane("a", width: 1)
        let gate = Gate()
        while lane.writtenOff < Lane.maximumWrittenOff {
            await #expect(throws: LaneError.deadline) { try await lane.run(deadline: .milliseconds(20)) { gate.pass() } }
        }
        await #expect(throws: LaneError.crowded) { try await lane.run {} }
        #expect(try await workers.lane("b").run { 1 } == 1)
        gate.open()
    }

    @Test func `a deadline that is not reached does nothing`() async throws {
        let lane = workers.lane("a")
        for number in 0..<1000 { #expect(try await lane.run(deadline: .seconds(3600)) { number } == number) }
        #expect(try await lane.run(deadline: .seconds(Int64.max)) { 1 } == 1)
        #expect(lane.writtenOff == 0)
    }
}

extension Lane {
    /// Waits until so many bodies are queued.
    func queued(_ count: Int) async {
        while waitingCount < count { await Task.yield() }
    }
}

extension LaneTests {
    @Test func `holds nothing of a body once its answer is there`() async throws {
        final class Witness: Sendable {
            let gone: Locked<Int>
            init(_ gone: Locked<Int>) { self.gone = gone }
            deinit { gone.withLock { $0 += 1 } }
        }
        let gone = Locked(0)
        let lane = Workers().lane("a")
        for number in 1...200 {
            let witness = Witness(gone)
            try await lane.run { _ = witness }
            _ = consume witness
            #expect(gone.withLock { $0 } == number)
        }
    }
}
