// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Synchronization
import TestSupport
import Testing

@Suite struct PoolTests {
    // MARK: - Life

    @Test func `starting a started pool and stopping a stopped one make no job`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        #expect(try await pool.start(by: 0) == nil)
        #expect(pool.snapshot.state == .active && pool.snapshot.watch == .inotify)
        try await bench.finish(try await pool.stop(by: 0))
        #expect(try await pool.stop(by: 0) == nil)
        #expect(pool.snapshot.state == .inactive && pool.snapshot.watch == .none && pool.volumes.isEmpty)
        #expect(pool.snapshot.space == .unknown)
    }

    @Test func `a pool that cannot start is inactive and says why`() async throws {
        let bench = Bench()
        bench.backend.change { $0.startError = StorageError(.unavailable, "gone") }
        let pool = try await bench.definedPool()
        await #expect(throws: StorageError(.unavailable, "gone")) { try await bench.finish(try await pool.start(by: 0)) }
        #expect(pool.snapshot.state == .inactive && pool.snapshot.stateReason == "gone")
    }

    @Test func `two active pools cannot stand on one thing`() async throws {
        let other = ScriptedBackend()
        let bench = Bench(types: [ScriptedBackend.type(other, name: "other")])
        _ = try await bench.startedPool("first")
        let second = try await bench.definedPool("second", type: "other")
        await #expect {
            try await bench.finish(try await second.start(by: 0))
        } throws: {
            ($0 as? StorageError)?.code == .exists && ($0 as? StorageError)?.message.contains("first") == true
        }
        other.change { $0.identity = "1:2" }
        try await bench.finish(try await second.start(by: 0))
    }

    @Test func `a pool is not stopped while somebody works on its volumes`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["a"] }
        let job = try await bench.allocate("a", in: pool)
        job.release()
        await expect(.busy) { _ = try await pool.stop(by: 0) }
        bench.backend.letGo("a")
        try await bench.finish(job)
        try await bench.finish(try await pool.stop(by: 0))
    }

    @Test func `work on an inactive pool is PoolInactive`() async throws {
        let bench = Bench()
        let pool = try await bench.definedPool()
        await expect(.poolInactive) { _ = try await pool.createVolume(VolumeRequest(name: "a", capacity: 1), by: 0) }
        await expect(.poolInactive) { _ = try await pool.refresh(by: 0) }
        await expect(.poolInactive) { _ = try await pool.deleteVolume("a", key: nil, by: 0) }
    }

    @Test func `what a type cannot do is NotSupported and Capabilities says why`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        #expect(pool.snapshot.capabilities[.volumeCreate] == "")
        #expect(pool.snapshot.capabilities[.volumeWipe]?.isEmpty == false)
        await expect(.notSupported) { try await pool.requireCapability(.volumeWipe) }
        await expect(.notSupported) { try await pool.setPermissions("a", Permissions(mode: 0o600), key: nil) }
    }

    @Test func `a look that work has overtaken does not bring back what was before`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["look"] }
        bench.backend.tell(.entry("a"))
        while !bench.backend.holds("look") { await Task.yield() }
        _ = try await pool.resizeVolume("a", to: 20, allowShrink: false, allocate: false, key: nil, by: 0)
        // The next look is held, too: by then the first one has been dealt with.
        bench.backend.letGoOnce("look")
        while !bench.backend.holds("look") { await Task.yield() }
        #expect(pool.volume("a")?.capacity == 20)
        bench.backend.letGo("look")
    }

    // MARK: - Scans

    @Test func `a failing scan leaves the list and degrades the pool; the next good one heals it`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        bench.backend.change { $0.scanError = StorageError(.failed, "unreadable") }
        await expect(.failed) { try await bench.finish(try await pool.refresh(by: 0)) }
        #expect(pool.snapshot.state == .degraded && pool.snapshot.stateReason.contains("unreadable"))
        #expect(pool.volumes.keys.sorted() == ["a"])
        bench.backend.change { $0.scanError = nil }
        try await bench.finish(try await pool.refresh(by: 0))
        #expect(pool.snapshot.state == .active && pool.snapshot.stateReason.isEmpty)
    }

    @Test func `two waiting refreshes are one job`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        let first = try await pool.refresh(by: 0)
        let second = try await pool.refresh(by: 0)
        #expect(first.id == second.id)
        try await bench.finish(first)

        bench.backend.change { $0.held = ["scan"] }
        let running = try await pool.refresh(by: 0)
        running.release()
        while running.snapshot.state == .queued { await Task.yield() }
        let waiting = try await pool.refresh(by: 0)
        let other = try await pool.refresh(by: 0)
        #expect(waiting.id != running.id && waiting.id == other.id)
        waiting.release()
        for _ in 0..<100 { await Task.yield() }
        #expect(waiting.snapshot.state == .queued)
        bench.backend.letGo("scan")
        try await bench.finish(running)
        try await bench.finish(waiting)
    }

    @Test func `a refresh that finds nothing new tells nothing of volumes`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        try await bench.finish(try await pool.refresh(by: 0))
        #expect(!bench.engine.events.take().contains { if case .volumes = $0 { true } else { false } })
    }

    @Test func `a scan does not forget what is being made`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["a"] }
        let job = try await bench.allocate("a", in: pool)
        job.release()
        try await bench.finish(try await pool.refresh(by: 0))
        #expect(pool.volume("a")?.state == .allocating)
        bench.backend.letGo("a")
        try await bench.finish(job)
        #expect(pool.volume("a")?.state == .ready)
    }

    @Test func `counts and sums follow the list`() async throws {
        let bench = Bench()
        bench.backend.change { script in
            script.volumes = ["a": ScriptedBackend.volume("a", 700), "b": ScriptedBackend.volume("b", 600)]
        }
        let pool = try await bench.startedPool()
        #expect(pool.snapshot.volumeCount == 2 && pool.snapshot.provisioned == 1300)
        #expect(pool.snapshot.warnings == ["overcommitted"])
        try await bench.finish(try await pool.deleteVolume("a", key: nil, by: 0))
        #expect(pool.snapshot.volumeCount == 1 && pool.snapshot.provisioned == 600 && pool.snapshot.warnings.isEmpty)
    }

    // MARK: - Freshness

    @Test func `what the watch tells becomes true without a call`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.volumes["n"] = ScriptedBackend.volume("n", 3) }
        bench.backend.tell(.entry("n"))
        while pool.volume("n") == nil { await Task.yield() }
        bench.backend.change { $0.volumes["n"] = nil }
        bench.backend.tell(.entry("n"))
        while pool.volume("n") != nil { await Task.yield() }
        bench.backend.change { $0.volumes["m"] = ScriptedBackend.volume("m", 3) }
        bench.backend.tell(.everything)
        while pool.volume("m") == nil { await Task.yield() }
    }

    @Test func `a look that began before a refresh does not undo what that has found`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["look"] }
        bench.backend.tell(.entry("a"))
        while !bench.backend.holds("look") { await Task.yield() }
        bench.backend.change { $0.volumes["a"] = ScriptedBackend.volume("a", 20) }
        try await bench.finish(try await pool.refresh(by: 0))
        #expect(pool.volume("a")?.capacity == 20)
        // The old look comes to its end; the next one is held, so that its word cannot hide that of the old one.
        bench.backend.letGoOnce("look")
        while !bench.backend.holds("look"), pool.volume("a")?.capacity == 20 { await Task.yield() }
        #expect(pool.volume("a")?.capacity == 20)
        bench.backend.letGo("look")
    }

    // MARK: - Volumes

    @Test func `one volume is worked on by one at a time`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["a"] }
        let job = try await bench.allocate("a", in: pool)
        job.release()
        await expect(.exists) { _ = try await bench.allocate("a", in: pool) }
        await expect(.busy) { _ = try await pool.deleteVolume("a", key: nil, by: 0) }
        await expect(.busy) { try await pool.renameVolume("a", to: "b", key: nil) }
        bench.backend.letGo("a")
        try await bench.finish(job)
    }

    @Test func `other work goes on beside a long allocation`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["long"] }
        let long = try await bench.allocate("long", in: pool)
        long.release()
        #expect(try await pool.createVolume(VolumeRequest(name: "sparse", capacity: 5), by: 0) == nil)
        try await bench.finish(try await pool.refresh(by: 0))
        try await bench.finish(try await bench.allocate("second", in: pool))
        _ = try await pool.deleteVolume("sparse", key: nil, by: 0)
        #expect(long.snapshot.state == .running)
        bench.backend.letGo("long")
        try await bench.finish(long)
    }

    @Test func `what a job took is no longer available when it has ended`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.space.available = 800 }
        try await bench.finish(try await bench.allocate("a", in: pool))
        #expect(pool.snapshot.space.available == 800)
        bench.backend.change { $0.space.available = 700 }
        #expect(try await pool.createVolume(VolumeRequest(name: "sparse", capacity: 5), by: 0) == nil)
        pool.spaceWasRead()
        while pool.snapshot.space.available != 700 { await Task.yield() }
    }

    @Test func `sixteen allocations, refreshes and deletes at once all succeed`() async throws {
        let bench = Bench()
        bench.backend.change { script in
            for n in 0..<16 { script.volumes["old\(n)"] = ScriptedBackend.volume("old\(n)", 1) }
        }
        let pool = try await bench.startedPool()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for n in 0..<16 {
                group.addTask { try await bench.finish(try await bench.allocate("new\(n)", in: pool)) }
                group.addTask { try await bench.finish(try await pool.refresh(by: 0)) }
                group.addTask { try await bench.finish(try await pool.deleteVolume("old\(n)", key: nil, by: 0)) }
            }
            try await group.waitForAll()
        }
        #expect(pool.volumes.keys.sorted() == (0..<16).map { "new\($0)" }.sorted())
        #expect(pool.volumes.values.allSatisfy { $0.state == .ready })
    }

    @Test func `changes of names go one by one`() async throws {
        let bench = Bench()
        bench.backend.change { script in
            for n in 0..<8 { script.volumes["v\(n)"] = ScriptedBackend.volume("v\(n)", 1) }
        }
        let pool = try await bench.startedPool()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for n in 0..<8 { group.addTask { try await pool.renameVolume("v\(n)", to: "w\(n)", key: nil) } }
            try await group.waitForAll()
        }
        #expect(bench.backend.largest == 1)
        #expect(pool.volumes.keys.sorted() == (0..<8).map { "w\($0)" })
    }

    @Test func `a key binds a call to the object that was looked at`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        await expect(.notFound) { _ = try await pool.deleteVolume("a", key: "another", by: 0) }
        #expect(pool.volume("a") != nil)
        _ = try await pool.deleteVolume("a", key: "key-a", by: 0)
        #expect(pool.volume("a") == nil)
    }

    @Test func `resize refuses to lose data, and does nothing for the same size`() async throws {
        let bench = Bench()
        bench.backend.change { $0.volumes = ["a": ScriptedBackend.volume("a", 10)] }
        let pool = try await bench.startedPool()
        await expect(.shrinkRefused) {
            _ = try await pool.resizeVolume("a", to: 5, allowShrink: false, allocate: false, key: nil, by: 0)
        }
        #expect(try await pool.resizeVolume("a", to: 10, allowShrink: false, allocate: false, key: nil, by: 0) == nil)
        _ = try await pool.resizeVolume("a", to: 5, allowShrink: true, allocate: false, key: nil, by: 0)
        #expect(pool.volume("a")?.capacity == 5)
    }

    @Test(arguments: ["", ".", "..", "a/b", ".cistern-x", "a\nb", String(repeating: "x", count: 256)])
    func `bad names are refused`(name: String) async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        await expect(.invalidArguments) { _ = try await pool.createVolume(VolumeRequest(name: name, capacity: 1), by: 0) }
        await expect(.invalidArguments) { _ = try await bench.definedPool(name) }
    }

    @Test(arguments: [0, 1 << 63, UInt64.max]) func `bad capacities are refused`(capacity: UInt64) async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        await expect(.invalidArguments) { _ = try await pool.createVolume(VolumeRequest(name: "a", capacity: capacity), by: 0) }
        #expect(pool.volumes.isEmpty)
    }
}

/// Expects a storage error with that code.
func expect(_ code: StorageError.Code, _ body: () async throws -> Void, orCode other: StorageError.Code? = nil) async {
    do {
        try await body()
        Issue.record("nothing was thrown; \(code.rawValue) was expected")
    } catch let error as StorageError {
        #expect(error.code == code || error.code == other, "\(error.message)")
    } catch {
        Issue.record("\(error)")
    }
}
