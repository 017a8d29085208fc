// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite struct DirectoryLifecycleTests {
    @Test(arguments: [nil, "", "relative/path", "./here"] as [String?])
    func refusesPathsThatAreNotAbsolute(path: String?) async {
        let settings = path.map { ["target.path": Value.string($0)] } ?? [:]
        let definition = PoolDefinition(name: "p", uuid: "u", type: "dir", settings: settings)
        let error = await failure {
            _ = try DirectoryPool(definition, lane: Shared.workers.lane("t"), inotify: Shared.inotify, drafts: Shared.drafts)
        }
        #expect(error?.code == .invalidArguments)
        #expect(error?.message.contains("target.path") == true)
    }

    @Test func aMissingDirectoryIsUnavailableAndNamed() async throws {
        let directory = try TemporaryDirectory()
        let pool = try DirectoryPool.make(directory("missing"))
        let error = await failure { _ = try await pool.start(.ignored()) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(directory("missing")) == true)
        try TestFiles.make(directory("file"))
        let other = try DirectoryPool.make(directory("file"))
        #expect(await failure { _ = try await other.start(.ignored()) }?.code == .unavailable)
    }

    @Test func everyWayToADirectoryHasOneIdentity() async throws {
        let directory = try TemporaryDirectory()
        mkdir(directory("pool"), 0o755)
        symlink("pool", directory("link"))
        var identities: Set<String> = []
        for path in ["pool", "pool/", "./pool", "pool/../pool", "link", "link/", "pool//"] {
            identities.insert(try await DirectoryPool.make(directory(path)).start(.ignored()))
        }
        #expect(identities.count == 1)
    }

    @Test func neverWorksInAnotherDirectory() async throws {
        let directory = try TemporaryDirectory()
        mkdir(directory("pool"), 0o755)
        let pool = try DirectoryPool.make(directory("pool"))
        _ = try await pool.start(.ignored())
        _ = try await pool.create(VolumeRequest(name: "v", capacity: 4096), .ignored())
        rename(directory("pool"), directory("moved"))
        mkdir(directory("pool"), 0o755)
        #expect(await failure { _ = try await pool.scan([:]) }?.code == .unavailable)
        #expect(await failure { _ = try await pool.create(VolumeRequest(name: "x", capacity: 4096), .ignored()) }?.code == .unavailable)
        #expect(TestFiles.names(directory("pool")) == [])
        #expect(TestFiles.names(directory("moved")) == ["v"])
    }

    @Test func buildMakesParentsAndSetsAttributes() async throws {
        let directory = try TemporaryDirectory()
        let path = directory("a/b/pool")
        let settings: [String: Value] = getuid() == 0 ? ["target.owner": .uint32(12), "target.group": .uint32(34)] : [:]
        let pool = try DirectoryPool.make(path, settings: settings.merging(["target.mode": .uint32(0o750)]) { $1 })
        try await pool.build(overwrite: false, .ignored())
        let status = try #require(TestFiles.status(path))
        #expect(status.st_mode & 0o7777 == 0o750)
        if getuid() == 0 { #expect(status.st_uid == 12 && status.st_gid == 34) }
        #expect(TestFiles.status(directory("a/b")).map { $0.st_mode & 0o7777 } == 0o755)
        try TestFiles.make(path + "/inside")
        try await pool.build(overwrite: true, .ignored())
        #expect(TestFiles.names(path) == ["inside"])
    }

    @Test func buildDoesNotTakeAFileForADirectory() async throws {
        let directory = try TemporaryDirectory()
        try TestFiles.make(directory("file"), content: "precious")
        let pool = try DirectoryPool.make(directory("file"))
        #expect(await failure { try await pool.build(overwrite: true, .ignored()) }?.code == .exists)
        #expect(TestFiles.status(directory("file"))?.st_size == 8)
        let below = try DirectoryPool.make(directory("file/pool"))
        #expect(await failure { try await below.build(overwrite: true, .ignored()) } != nil)
    }

    @Test func deleteRefusesWhatIsNotEmpty() async throws {
        let directory = try TemporaryDirectory()
        let pool = try DirectoryPool.make(directory("pool"))
        try await pool.build(overwrite: false, .ignored())
        for name in ["a", "b", ".hidden"] { try TestFiles.make(directory("pool/\(name)")) }
        let error = await failure { try await pool.delete(.ignored()) }
        #expect(error?.code == .busy)
        #expect(error?.message.contains("3 entries") == true)
        #expect(TestFiles.names(directory("pool")).count == 3)
    }

    /// A FUSE file system whose server never answers.
    @Test(.enabled(if: getuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0)) func aHungDirectoryHangsNothing() async throws {
        let directory = try TemporaryDirectory()
        mkdir(directory("hung"), 0o755)
        let server = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        try #require(server >= 0)
        defer {
            close(server)  // aborts the connection: whoever waits gets an error
            umount2(directory("hung"), Int32(MNT_DETACH))
        }
        let options = "fd=\(server),rootmode=40000,user_id=0,group_id=0"
        try #require(mount("hung", directory("hung"), "fuse", 0, options) == 0)
        var tuning = DirectoryPool.Tuning()
        tuning.patience = .milliseconds(200)
        let workers = Workers()
        let pool = try DirectoryPool.make(directory("hung"), lane: workers.lane("hung"), tuning: tuning)
        let clock = ContinuousClock.now
        await withTaskGroup(of: StorageError?.self) { group in
            for _ in 0..<4 { group.addTask { await failure { _ = try await pool.start(.ignored()) } } }
            for _ in 0..<4 { group.addTask { await failure { _ = try await pool.scan([:]) } } }
            for await error in group { #expect(error?.code == .timedOut || error?.code == .unavailable) }
        }
        #expect(ContinuousClock.now - clock < .seconds(20))
        let other = try await DirectoryPool.started(directory)
        #expect(try await other.scan([:]).volumes.isEmpty)
    }

    @Test(.enabled(if: getuid() == 0)) func doesNotKeepItsFileSystemFromBeingUnmounted() async throws {
        let directory = try TemporaryDirectory()
        let mounted = try SmallDisk(at: directory("disk"), megabytes: 8)
        let pool = try DirectoryPool.make(mounted.path)
        _ = try await pool.start(.ignored())
        let (_, changes) = try await pool.watch()
        let volume = try await pool.create(VolumeRequest(name: "v", capacity: 4096, allocation: .full), .ignored())
        _ = try await pool.scan([:])
        _ = try await pool.rename(volume, to: "w")
        #expect(umount2(mounted.path, 0) == 0)
        let loss = await changes.first { if case .lost = $0 { true } else { false } }
        #expect(loss == .lost("Directory \(mounted.path) was unmounted."))
        #expect(await failure { _ = try await pool.scan([:]) }?.code == .unavailable)
    }

    @Test func leaksNoDescriptors() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        func exercise() async throws {
            let volume = try await pool.create(VolumeRequest(name: "v", capacity: 1 << 20, allocation: .full), .ignored())
            let cancelled = Progress.ignored()
            cancelled.cancel()
            _ = await failure { _ = try await pool.create(VolumeRequest(name: "c", capacity: 1 << 20, allocation: .full), cancelled) }
            _ = await failure { _ = try await pool.create(VolumeRequest(name: "v", capacity: 1 << 20), .ignored()) }
            let grown = try await pool.resize(volume, to: 2 << 20, allowShrink: false, allocate: true, .ignored())
            _ = await failure { _ = try await pool.resize(grown, to: 1, allowShrink: false, allocate: false, .ignored()) }
            close(try await pool.open(grown, read: true, write: true))
            _ = try await pool.scan([:])
            _ = try await pool.look(at: "v")
            _ = try await pool.setPermissions(grown, Permissions(mode: 0o600))
            try await pool.delete(try await pool.rename(grown, to: "w"), .ignored())
            _ = await failure { try await pool.delete(grown, .ignored()) }
        }
        try await exercise()
        // Other tests run beside this one: only growth with every round is a leak.
        let before = directory.descriptorsBelow
        for _ in 0..<20 { try await exercise() }
        #expect(directory.descriptorsBelow <= before)
        #expect(directory.names == [])
    }
}

extension TemporaryDirectory {
    /// How many descriptors of this process lead into the directory.
    fileprivate var descriptorsBelow: Int {
        TestFiles.names("/proc/self/fd").filter { TestFiles.target(of: "/proc/self/fd/\($0)").hasPrefix(path) }.count
    }
}
