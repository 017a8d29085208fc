// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct JobCallTests {
    @Test func `the order on the wire is the contract's`() async throws {
        try await Harness.run(simulate: true) { harness in
            let pool = try await harness.simulatedPool(throttle: 4 << 20)
            let signals = try await harness.allSignals()
            let (volume, job) = try await harness.create(pool, "v", 4 << 20, ["allocation": .string("full")])
            #expect(job != "/")
            // The reply is here: what came before it is in the stream, what follows is not yet all there.
            try await harness.call(job, "org.freedesktop.DBus.Peer", "Ping")
            #expect(try await harness.outcome(of: job) == "completed")
            var story: [String] = []
            for await signal in signals {
                let text = Self.describe(signal, job: job, volume: volume, pool: pool)
                if let text, text != story.last { story.append(text) }
                if text == "JobFinished completed" { break }
            }
            #expect(story.first == "job added queued")
            #expect(story.dropFirst().first == "volume added allocating")
            let progress = try #require(story.firstIndex(of: "job progress"))
            let ready = try #require(story.firstIndex(of: "volume ready"))
            let end = try #require(story.firstIndex(of: "job completed"))
            let finished = try #require(story.firstIndex(of: "JobFinished completed"))
            #expect(progress < ready && ready < end && end < finished, "\(story)")
            #expect(finished == end + 1, "\(story)")
        }
    }

    private static func describe(_ signal: ReceivedSignal, job: ObjectPath, volume: ObjectPath, pool: ObjectPath) -> String? {
        switch signal.member {
        case "InterfacesAdded":
            guard let path = signal.body[0].path, case .dictionary(_, _, let interfaces) = signal.body[1] else { return nil }
            let state = interfaces.first?.value.dictionary?["State"]?.text ?? ""
            return (path == job ? "job" : path == volume ? "volume" : "other") + " added " + state
        case "PropertiesChanged":
            let changed = signal.body[1].dictionary ?? [:]
            if signal.path == job {
                if let state = changed["State"]?.text {
                    // The end is one signal: state and all that goes with it.
                    return "job " + state
                }
                return changed["BytesDone"] == nil ? nil : "job progress"
            }
            if signal.path == volume { return changed["State"].map { "volume " + ($0.text ?? "") } }
            return nil
        case "JobFinished": return "JobFinished " + (signal.body[1].text ?? "")
        default: return nil
        }
    }

    @Test func `progress comes at most four times a second, with rate and expected end`() async throws {
        try await Harness.run(simulate: true) { harness in
            let pool = try await harness.simulatedPool(throttle: 8 << 20)
            let signals = try await harness.allSignals()
            let (_, job) = try await harness.create(pool, "v", 24 << 20, ["allocation": .string("full")])
            let began = ContinuousClock.now
            var counts: Set<UInt64> = []
            var announcements = 0
            for await signal in signals {
                if signal.member == "JobFinished" { break }
                guard signal.path == job, let changed = signal.body[1].dictionary, changed["State"] == nil else { continue }
                announcements += 1
                if let done = changed["BytesDone"]?.unsigned { counts.insert(done) }
                if announcements == 4 {
                    let properties = try await harness.properties(job, Harness.jobInterface)
                    #expect((properties["Rate"]?.unsigned ?? 0) > 1 << 20)
                    #expect((properties["ExpectedEndTime"]?.unsigned ?? 0) > (properties["StartTime"]?.unsigned ?? .max))
                    #expect(properties["Cancellable"] == .bool(true) && properties["StartedByUID"] == .uint32(geteuid()))
                }
            }
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            #expect(counts.count >= 3)
            #expect(Double(announcements) <= seconds * 4 + 1, "\(announcements) in \(seconds) s")
        }
    }

    @Test func `wait holds the reply back, and carries the error`() async throws {
        try await Harness.run(simulate: true) { harness in
            let pool = try await harness.simulatedPool(throttle: 16 << 20)
            let began = ContinuousClock.now
            let (volume, job) = try await harness.create(pool, "v", 8 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            #expect(ContinuousClock.now - began > .milliseconds(300))
            #expect(try await harness.property(volume, Harness.volumeInterface, "State", as: String.self) == "ready")
            #expect(try await harness.property(job, Harness.jobInterface, "State", as: String.self) == "completed")
            await expectError("NoSpace") {
                _ = try await harness.create(pool, "big", 1 << 50, ["allocation": .string("full"), "wait": .bool(true)])
            }
        }
    }

    @Test func `a job answers at once, its end is a signal, and it stays to be read`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let began = ContinuousClock.now
            let (_, job) = try await harness.create(pool, "big", 1 << 30, ["allocation": .string("full")])
            #expect(ContinuousClock.now - began < .milliseconds(100))
            let state = try await harness.outcome(of: job)
            let properties = try await harness.properties(job, Harness.jobInterface)
            #expect(state == "completed", "\(properties["ErrorMessage"]?.text ?? "")")
            #expect(properties["Progress"] == .double(1) && properties["BytesDone"] == .uint64(1 << 30))
            #expect(properties["Operation"] == .string("Pool.CreateVolume"))
            let status = try #require(fileStatus(directory + "/big"))
            #expect(status.st_size == 1 << 30 && status.st_blocks * 512 >= 1 << 30)
            try await harness.call(job, Harness.jobInterface, "Cancel", [String: Variant]())
        }
    }

    @Test func `cancel takes effect within half a second and leaves no file, also on a slow disk`() async throws {
        try await Harness.run { harness in
            let slow = try await SlowDirectory(harness)
            defer { slow.end() }
            let (fast, directory) = try await harness.startedPool("fast")
            let (throttled, _) = try await harness.startedPool("slow", directory: slow.path)
            for (pool, directory) in [(fast, directory), (throttled, slow.path)] {
                let signals = try await harness.allSignals()
                let (volume, job) = try await harness.create(pool, "v", 8 << 30, ["allocation": .string("full")])
                for await signal in signals where signal.path == job && signal.body[1].dictionary?["BytesDone"] != nil { break }
                let began = ContinuousClock.now
                try await harness.call(job, Harness.jobInterface, "Cancel", [String: Variant]())
                #expect(try await harness.outcome(of: job) == "cancelled")
                #expect(ContinuousClock.now - began < .milliseconds(500), "\(pool): \(ContinuousClock.now - began)")
                #expect(entries(directory).isEmpty)
                await expectError("org.freedesktop.DBus.Error.UnknownObject") {
                    _ = try await harness.properties(volume, Harness.volumeInterface)
                }
                let error = try await harness.property(job, Harness.jobInterface, "Error", as: String.self)
                #expect(error == "org.cistern1.Error.Cancelled")
            }
            try await harness.stop("slow")
        }
    }

    @Test func `while a volume is allocated, everything else goes on`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            let (_, first) = try await harness.create(pool, "first", 8 << 30, ["allocation": .string("full")])
            let other = try Connection.open(.custom(harness.address), description: "other")
            defer { other.close() }
            var slowest = Duration.zero
            for n in 0..<20 {
                let began = ContinuousClock.now
                _ = try await other.call(
                    Harness.service, pool, "org.freedesktop.DBus.Properties", "Get",
                    dynamic: [.string(Harness.poolInterface), .string("State")])
                slowest = max(slowest, ContinuousClock.now - began)
                if n % 10 == 0 { _ = try await harness.create(pool, "sparse\(n)", 4096) }
            }
            #expect(slowest < .milliseconds(100), "\(slowest)")
            let began = ContinuousClock.now
            _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)])
            let (_, second) = try await harness.create(pool, "second", 64 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            #expect(ContinuousClock.now - began < .seconds(8))
            #expect(try await harness.property(second, Harness.jobInterface, "State", as: String.self) == "completed")
            #expect(
                try await harness.property(first, Harness.jobInterface, "State", as: String.self) == "running", "it must outlast the rest")
            try await harness.call(first, Harness.jobInterface, "Cancel", [String: Variant]())
            _ = try await harness.outcome(of: first)
        }
    }

    @Test func `clients that list the jobs at once all have their answer, on a busy machine`() async throws {
        try await Harness.run { harness in
            let others = (0..<2 * sysconf(Int32(_SC_NPROCESSORS_ONLN))).map { _ in
                Task { try await Child.run("sh", ["-c", "while :; do :; done"], deadline: .seconds(100)) }
            }
            defer { for other in others { other.cancel() } }
            let clients = (0..<3).map { _ in Task { @LoopActor in try await Self.list(harness, times: 3000) } }
            for client in clients { try await client.value }
        }
    }

    @LoopActor private static func list(_ harness: Harness, times: Int) async throws {
        let client = try Connection.open(.custom(harness.address), description: "client")
        for _ in 0..<times {
            _ = try await client.call(
                Harness.service, "/org/cistern1/jobs", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                returning: [ObjectPath: [String: [String: Variant]]].self)
        }
    }

    @Test func `sixteen full allocations, refreshes and deletes at once: no error`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for n in 0..<16 { _ = try await harness.create(pool, "old\(n)", 4096) }
            var work: [Task<Void, any Error>] = []
            for n in 0..<16 {
                work.append(
                    Task {
                        _ = try await harness.create(pool, "new\(n)", 16 << 20, ["allocation": .string("full"), "wait": .bool(true)])
                    })
                work.append(Task { _ = try await harness.job(pool, "Refresh", ["wait": .bool(true)]) })
                work.append(
                    Task {
                        let old = try await harness.call(
                            pool, Harness.poolInterface, "GetVolume", "old\(n)", [String: Variant](), returning: ObjectPath.self)
                        _ = try await harness.job(old, "Delete", ["wait": .bool(true)])
                    })
            }
            for task in work { try await task.value }
            #expect(entries(directory) == (0..<16).map { "new\($0)" }.sorted())
            let volumes = try await harness.managed("/org/cistern1/volumes/p")
            #expect(volumes.count == 16)
            #expect(volumes.values.allSatisfy { $0[Harness.volumeInterface]?["State"] == .string("ready") })
        }
    }

    @Test func `a job goes on when its caller leaves`() async throws {
        try await Harness.run(simulate: true) { harness in
            let pool = try await harness.simulatedPool(throttle: 8 << 20)
            let guest = try Connection.open(.custom(harness.address), description: "guest")
            let (_, job) = try await guest.call(
                Harness.service, pool, Harness.poolInterface, "CreateVolume", "v", UInt64(8 << 20),
                ["allocation": Variant.string("full")], returning: ObjectPath.self, ObjectPath.self)
            guest.close()
            #expect(try await harness.outcome(of: job) == "completed")
        }
    }
}

extension Harness {
    /// A simulated pool, started, that writes so many bytes a second.
    func simulatedPool(throttle: UInt64) async throws -> ObjectPath {
        let settings: [String: Variant] = ["simulated.throttle": .uint64(throttle), "simulated.capacity": .uint64(1 << 40)]
        let pool = try await call(
            Self.manager, Self.managerInterface, "DefinePool", "s", "simulated", settings, [String: Variant](), returning: ObjectPath.self)
        _ = try await job(pool, "Start", ["wait": .bool(true)])
        return pool
    }

    func stop(_ name: String) async throws {
        let pool = try await call(Self.manager, Self.managerInterface, "GetPool", name, [String: Variant](), returning: ObjectPath.self)
        _ = try await job(pool, "Stop", ["wait": .bool(true)])
    }
}

/// A directory behind a FUSE file system that takes 2 MiB a second, or as given, and that can be made to hang.
@LoopActor final class SlowDirectory {
    let path: String
    private var pid: Int32 = 0
    private var running: Task<ChildResult, any Error>?

    init(_ harness: Harness, _ name: String = "slow", rate: String = "2M") async throws {
        path = harness.root + "/" + name
        let behind = harness.root + "/\(name)-behind"
        mkdir(path, 0o755)
        mkdir(behind, 0o755)
        let (pids, found) = AsyncStream.makeStream(of: Int32.self)
        let path = path
        running = Task {
            try await Child.run("bindfs", ["-f", "--write-rate=\(rate)", behind, path], deadline: .seconds(1 << 20)) { found.yield($0) }
        }
        for await pid in pids {
            self.pid = pid
            break
        }
        let device = fileStatus(behind)?.st_dev
        // The mount is there when the device differs; mountinfo tells of changes by POLLPRI.
        let mounts = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC)
        defer { close(mounts) }
        for _ in 0..<100 where fileStatus(path)?.st_dev == device {
            var descriptor = pollfd(fd: mounts, events: Int16(POLLPRI), revents: 0)
            poll(&descriptor, 1, 50)
        }
        try #require(fileStatus(path)?.st_dev != device, "bindfs is not there")
    }

    /// The file system stops answering.
    func hang() { kill(pid, SIGSTOP) }
    func resume() { kill(pid, SIGCONT) }

    nonisolated func end() {
        Task { @LoopActor in
            kill(pid, SIGKILL)
            umount2(path, Int32(MNT_DETACH))
        }
    }
}
