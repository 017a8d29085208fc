// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Synchronization
import TestSupport
import Testing

/// Pools whose storage goes, comes, or cannot be used.
@Suite(.timeLimit(.minutes(1))) struct PoolReturnTests {
    @Test func `a pool that goes away is unavailable, keeps its list, and comes back`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        bench.backend.change { $0.startError = StorageError(.unavailable, "still gone") }
        bench.backend.tell(.lost("the directory was removed"))
        while pool.snapshot.state != .unavailable { await Task.yield() }
        #expect(pool.snapshot.stateReason == "the directory was removed" && pool.volumes.count == 1)
        await expect(.unavailable) { _ = try await pool.deleteVolume("a", key: nil, by: 0) }
        bench.backend.change { $0.startError = nil }
        while pool.snapshot.state != .active {
            bench.time.advance(.seconds(10))
            await Task.yield()
        }
        #expect(pool.snapshot.stateReason.isEmpty)
    }

    @Test func `a pool that is to be active waits for its storage, and is there as soon as that is`() async throws {
        let bench = Bench()
        let pool = try await bench.definedPool()
        bench.backend.change { $0.startError = StorageError(.unavailable, "no such disk") }
        let job = try #require(try await pool.start(by: 0, persistently: true))
        job.release()
        #expect(await job.wait().error?.code == .unavailable)
        #expect(pool.snapshot.state == .waiting && pool.snapshot.stateReason == "no such disk")
        await expect(.unavailable) { _ = try await pool.createVolume(VolumeRequest(name: "a", capacity: 5), by: 0) }
        while !bench.backend.hint() { await Task.yield() }
        bench.backend.change { $0.startError = nil }
        // No time passes: it is the hint that brings it back.
        while pool.snapshot.state != .active {
            _ = bench.backend.hint()
            await Task.yield()
        }
    }

    @Test func `a pool of a type that cannot be used here is kept, and tells why`() async throws {
        let backend = ScriptedBackend()
        let type = PoolType(name: "elsewhere", backend: ScriptedBackend.self, reason: "only root may", settings: ["target.path": "s"]) {
            _ in
            backend
        }
        let bench = Bench(types: [type])
        let pool = try await bench.definedPool(type: "elsewhere")
        #expect(pool.snapshot.capabilities == type.capabilities && Set(type.capabilities.values) == ["only root may"])
        let error = await #expect(throws: StorageError.self) { try await bench.finish(try await pool.start(by: 0)) }
        #expect(error?.code == .notSupported && error?.message.contains("only root may") == true)
        #expect(backend.script.withLock { $0.starts } == 0)
    }

    @Test func `what an administrator took away is not brought back unasked`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        let starts = bench.backend.script.withLock { $0.starts }
        bench.backend.change { $0.mayReturn = false }
        bench.backend.tell(.lost("it was unmounted"))
        while pool.snapshot.state != .unavailable { await Task.yield() }
        while !bench.backend.hint() { await Task.yield() }
        for _ in 0..<200 {
            bench.time.advance(.seconds(10))
            _ = bench.backend.hint()
            await Task.yield()
        }
        #expect(pool.snapshot.state == .unavailable && bench.backend.script.withLock { $0.starts } == starts)
        try await bench.finish(try await pool.refresh(by: 0))
        #expect(pool.snapshot.state == .active, "asked for, it is")
    }

    @Test func `a pool that comes back is started once, whoever looks for it`() async throws {
        let bench = Bench()
        let (pool, refresh) = try await bench.returningPool()
        let starts = bench.backend.script.withLock { $0.starts }
        for _ in 0..<200 {
            _ = bench.backend.hint()
            await Task.yield()
        }
        bench.backend.letGo("start")
        try await bench.finish(refresh)
        #expect(pool.snapshot.state == .active)
        #expect(bench.backend.script.withLock { $0.starts == starts && $0.isStarted })
    }

    @Test func `a pool that is stopped while it comes back is stopped in the end`() async throws {
        let bench = Bench()
        let (pool, refresh) = try await bench.returningPool()
        let stop = try #require(try await pool.stop(by: 0))
        stop.release()
        for _ in 0..<200 { await Task.yield() }
        bench.backend.letGo("start")
        try await bench.finish(stop)
        _ = await refresh.wait()
        #expect(pool.snapshot.state == .inactive)
        #expect(bench.backend.script.withLock { !$0.isStarted })
    }
}

extension Bench {
    /// A pool that went away, and a refresh that is about to bring it back: it waits for `start` to be let go.
    fileprivate func returningPool() async throws -> (Pool, refresh: Job) {
        let pool = try await startedPool()
        backend.tell(.lost("it was removed"))
        backend.change { $0.held = ["start"] }
        while pool.snapshot.state != .unavailable { await Task.yield() }
        let refresh = try await pool.refresh(by: 0)
        refresh.release()
        while !backend.holds("start") { await Task.yield() }
        return (pool, refresh)
    }
}
