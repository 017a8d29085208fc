// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import TestSupport
import Testing

@Suite struct JobTests {
    @Test func `a job does not begin before its starter has been told`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        var request = VolumeRequest(name: "a", capacity: 100)
        request.allocation = .full
        let job = try #require(try await pool.createVolume(request, by: 7))
        for _ in 0..<200 { await Task.yield() }
        #expect(job.snapshot.state == .queued)
        try await bench.finish(job)
        #expect(job.snapshot.state == .completed)
        #expect(job.snapshot.uid == 7)
    }

    @Test func `events come in the order of the contract`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        var request = VolumeRequest(name: "a", capacity: 100)
        request.allocation = .full
        try await bench.finish(try await pool.createVolume(request, by: 0))
        let story = bench.engine.events.take().compactMap { event -> String? in
            switch event {
            case .job(_, let job): "job \(job.state.rawValue)"
            case .volumes(_, let changes):
                changes.map { change in
                    switch change {
                    case .added(let volume): "added \(volume.state.rawValue)"
                    case .changed(let volume): "changed \(volume.state.rawValue)"
                    case .removed: "removed"
                    }
                }.joined()
            case .jobFinished(let job): "finished \(job.state.rawValue)"
            default: nil
            }
        }
        #expect(story == ["job queued", "added allocating", "job running", "changed ready", "job completed", "finished completed"])
    }

    @Test func `an allocating volume has neither key nor path`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["a"] }
        let job = try await bench.allocate("a", in: pool)
        let allocating = try #require(pool.volume("a"))
        #expect(allocating.state == .allocating && allocating.key.isEmpty && allocating.path.isEmpty)
        bench.backend.letGo("a")
        try await bench.finish(job)
        #expect(pool.volume("a")?.key == "key-a")
    }

    @Test func `a failed job leaves no volume and says why`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.createError = StorageError(.noSpace, "full") }
        let job = try await bench.allocate("a", in: pool)
        await #expect(throws: StorageError(.noSpace, "full")) { try await bench.finish(job) }
        #expect(job.snapshot.state == .failed)
        #expect(pool.volumes.isEmpty)
        bench.backend.change { $0.createError = nil }
        try await bench.finish(try await bench.allocate("a", in: pool))
    }

    @Test func `cancel ends a job as cancelled and leaves nothing; cancelling it again succeeds`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        bench.backend.change { $0.held = ["a"] }
        let job = try await bench.allocate("a", in: pool)
        job.release()
        try job.cancel()
        bench.backend.letGo("a")
        let end = await job.wait()
        #expect(end.state == .cancelled && end.error?.code == .cancelled)
        #expect(pool.volumes.isEmpty)
        try job.cancel()
    }

    @Test func `numbers are never used again, not even after a restart`() async throws {
        let journal = MemoryJournal()
        var seen: Set<UInt64> = []
        for _ in 0..<3 {
            let bench = Bench(journal: journal)
            try await bench.engine.open()
            let pool = try await bench.startedPool()
            for _ in 0..<120 {
                let job = try await pool.refresh(by: 0)
                #expect(seen.insert(job.id).inserted)
                try await bench.finish(job)
            }
        }
    }

    @Test(arguments: [true, false]) func `an interrupted job comes back under its number`(complete: Bool) async throws {
        let bench = Bench()
        bench.journal.leave(
            JournalEntry(id: 41, operation: .volumeCreate, uid: 7, startTime: 5, pool: "p", volume: "a", notes: ["made a"]))
        _ = try await bench.definedPool()
        let second = Bench(definitions: bench.definitions, journal: bench.journal)
        second.backend.change { $0.complete = complete }
        try await second.engine.open()
        await second.engine.begin()
        var end: JobSnapshot?
        while end == nil {
            for case .jobFinished(let job) in second.engine.events.take() { end = job }
            await Task.yield()
        }
        #expect(end?.id == 41 && end?.uid == 7 && end?.startTime == 5 && end?.operation == .volumeCreate)
        #expect(end?.state == (complete ? .completed : .failed))
        #expect(end?.error?.code == (complete ? nil : .interrupted))
        while !second.journal.unfinished.isEmpty { await Task.yield() }
    }

    @Test func `an ended job stays sixty seconds`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        let job = try await pool.refresh(by: 0)
        try await bench.finish(job)
        while bench.time.sleepers < 1 { await Task.yield() }  // who waits for the start's time, and then for the refresh's
        bench.time.advance(.seconds(59))
        #expect(bench.time.sleepers == 1, "nobody is due yet")
        #expect(!bench.engine.events.take().contains { if case .jobRemoved = $0 { true } else { false } })
        bench.time.advance(.seconds(2))
        var removed: Set<UInt64> = []
        while !removed.contains(job.id) {
            for case .jobRemoved(let id) in bench.engine.events.take() { removed.insert(id) }
            await Task.yield()
        }
    }

    @Test func `at most a thousand ended jobs of one user are kept`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        for _ in 0..<1010 { try await bench.finish(try await pool.refresh(by: 9)) }
        while await bench.engine.jobs.counts.running > 0 { await Task.yield() }
        let kept = await bench.engine.jobs.counts.finished
        #expect(kept == 1001)  // a thousand of user 9, and the start
    }

    @Test func `only jobs that a crash could leave half done are journaled`() async throws {
        let bench = Bench()
        let pool = try await bench.startedPool()
        try await bench.finish(try await pool.refresh(by: 0))
        #expect(bench.journal.begun == 0)
        try await bench.finish(try await bench.allocate("a", in: pool))
        #expect(bench.journal.begun == 1)
        while !bench.journal.unfinished.isEmpty { await Task.yield() }
    }
}

extension Bench {
    func allocate(_ name: String, in pool: Pool) async throws -> Job {
        var request = VolumeRequest(name: name, capacity: 100)
        request.allocation = .full
        return try #require(try await pool.createVolume(request, by: 0))
    }
}
