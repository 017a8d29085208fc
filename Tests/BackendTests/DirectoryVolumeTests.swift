// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Glibc
import TestSupport
import Testing

@Suite struct DirectoryVolumeTests {
    @Test func fullVolumesAreAllocatedZeros() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        for bytes in [1, 4095, 4096, 5 << 20 | 17] as [UInt64] {
            let volume = try await pool.create(VolumeRequest(name: "v\(bytes)", capacity: bytes, allocation: .full), .ignored())
            #expect(volume.capacity == bytes && volume.allocation >= bytes)
            #expect(try content(directory(volume.name)) == [UInt8](repeating: 0, count: Int(bytes)))
        }
    }

    @Test func partOfAVolumeCanBeReserved() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        var request = VolumeRequest(name: "v", capacity: 64 << 20)
        request.reserve = 8 << 20
        #expect(pool.movesData(request))
        let volume = try await pool.create(request, .ignored())
        #expect(volume.capacity == 64 << 20)
        #expect(volume.allocation >= 8 << 20 && volume.allocation < 16 << 20)
        request = VolumeRequest(name: "sparse", capacity: 1 << 40)
        #expect(!pool.movesData(request))
        #expect(try await pool.create(request, .ignored()).allocation == 0)
    }

    @Test(.enabled(if: getuid() == 0)) func ownerAndGroupAreSetBeforeTheNameAppears() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        var request = VolumeRequest(name: "v", capacity: 4096)
        (request.mode, request.owner, request.group) = (0o640, 1234, 5678)
        let volume = try await pool.create(request, .ignored())
        #expect((volume.mode, volume.owner, volume.group) == (0o640, 1234, 5678))
        let status = try #require(TestFiles.status(directory("v")))
        #expect((status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o640, 1234, 5678))
        chmod(directory("v"), 0o6755)
        let changed = try await pool.setPermissions(volume, Permissions(owner: 0))
        #expect((changed.mode, changed.owner, changed.group) == (0o755, 0, 5678))
        #expect(TestFiles.status(directory("v")).map { $0.st_mode & 0o7777 } == 0o755)
    }

    @Test(arguments: [true, false]) func aCrashLeavesNothingThatIsNotNoted(nameless: Bool) async throws {
        let directory = try TemporaryDirectory()
        var tuning = DirectoryPool.Tuning()
        tuning.namelessFiles = nameless
        let pool = try await DirectoryPool.started(directory, tuning: tuning)
        try TestFiles.make(directory(".cistern-test-00aa"), content: "left by a crash")
        try TestFiles.make(directory(".cistern-other-00bb"), content: "not ours to judge")
        #expect(try await !pool.recover(["link 1 2 v", "nonsense", "", "resize 1 2 3 4 ../escape", "process 1 1"]))
        #expect(directory.names == [".cistern-other-00bb"])
        try TestFiles.make(directory(".cistern-test-00cc"))
        _ = try await pool.scan([:])
        #expect(directory.names == [".cistern-other-00bb"], "swept by every scan, too")
    }

    // MARK: - Others have it open

    @Test func holdersAreNamedAndRespected() async throws {
        let directory = try TemporaryDirectory()
        let pool = try await DirectoryPool.started(directory)
        let volume = try await pool.create(VolumeRequest(name: "v", capacity: 4096), .ignored())
        let reader = try Program("exec sleep 1000 < '\(directory("v"))'")
        try await reader.waitUntilOpen(directory("v"))
        for error in [
            await failure { try await pool.delete(volume, .ignored()) },
            await failure { _ = try await pool.resize(volume, to: 8192, allowShrink: false, allocate: false, .ignored()) },
        ] {
            #expect(error?.code == .busy)
            #expect(error?.message.contains("\(reader.pid)") == true && error?.message.contains("sleep") == true)
        }
        #expect(try await pool.volume("v") == volume)
        // A reader keeps nobody from writing; a writer does.
        close(try await pool.open(volume, read: true, write: true))
        reader.end()
        let writer = try Program("exec sleep 1000 >> '\(directory("v"))'")
        try await writer.waitUntilOpen(directory("v"))
        #expect(await failure { _ = try await pool.open(volume, read: false, write: true) }?.code == .busy)
        close(try await pool.open(volume, read: true, write: false))
        writer.end()
        try await pool.delete(volume, .ignored())
        #expect(directory.names == [])
    }

    // MARK: - Others change names

    @Test func symbolicLinksAreNeverFollowed() async throws {
        let directory = try TemporaryDirectory()
        let outside = try TemporaryDirectory()
        try TestFiles.make(outside("secret"), content: "outside")
        let pool = try await DirectoryPool.started(directory)
        var volume = try await pool.create(VolumeRequest(name: "v", capacity: 4096), .ignored())
        unlink(directory("v"))
        symlink(outside("secret"), directory("v"))
        for error in [
            await failure { try await pool.delete(volume, .ignored()) },
            await failure { _ = try await pool.resize(volume, to: 1, allowShrink: true, allocate: false, .ignored()) },
            await failure { _ = try await pool.open(volume, read: true, write: true) },
            await failure { _ = try await pool.setPermissions(volume, Permissions(mode: 0)) },
        ] { #expect(error?.code == .notFound) }
        #expect(await failure { _ = try await pool.create(VolumeRequest(name: "v", capacity: 1), .ignored()) }?.code == .exists)
        #expect(try content(outside("secret")) == Array("outside".utf8))
        volume.name = "../\(outside.path.split(separator: "/").last ?? "")/secret"
        #expect(await failure { _ = try await pool.open(volume, read: true, write: false) } != nil)
    }

    // MARK: - Too little space

    @Test(.enabled(if: getuid() == 0)) func aFullDiskLeavesNothing() async throws {
        let directory = try TemporaryDirectory()
        let disk = try SmallDisk(at: directory("disk"), megabytes: 16)
        let pool = try DirectoryPool.make(disk.path)
        _ = try await pool.start(.ignored())
        for allocation in [VolumeRequest.Allocation.falloc, .full] {
            let request = VolumeRequest(name: "big", capacity: 17 << 20, allocation: allocation)
            #expect(await failure { _ = try await pool.create(request, .ignored()) }?.code == .noSpace)
        }
        let volume = try await pool.create(VolumeRequest(name: "v", capacity: 8 << 20, allocation: .full), .ignored())
        let error = await failure { _ = try await pool.resize(volume, to: 32 << 20, allowShrink: false, allocate: true, .ignored()) }
        #expect(error?.code == .noSpace)
        #expect(try await pool.volume("v").capacity == 8 << 20)
        try await pool.delete(volume, .ignored())
        let available = try await pool.measure().available
        #expect(available >= 15 << 20)
    }

    @Test(.enabled(if: getuid() == 0)) func aDiskThatFillsUpMeanwhileLeavesNothing() async throws {
        let directory = try TemporaryDirectory()
        let disk = try SmallDisk(at: directory("disk"), megabytes: 16)
        let path = disk.path
        let pool = try DirectoryPool.make(path)
        _ = try await pool.start(.ignored())
        // After the check for space, somebody takes half of it.
        let progress = Progress(
            report: { report in
                guard case .phase("allocating", _) = report else { return }
                try? TestFiles.make(path + "/theirs", content: String(repeating: "x", count: 8 << 20))
            },
            journal: { (_) async throws(StorageError) in })
        let request = VolumeRequest(name: "v", capacity: 12 << 20, allocation: .full)
        #expect(await failure { _ = try await pool.create(request, progress) }?.code == .noSpace)
        #expect(TestFiles.names(path) == ["theirs"])
        unlink(path + "/theirs")
        #expect(try await pool.measure().available >= 15 << 20)
    }

    @Test(.enabled(if: SmallDisk.canMake(with: "mkfs.ext4"))) func zerosAreWrittenWhereSpaceCannotBeReserved() async throws {
        let directory = try TemporaryDirectory()
        let disk = try SmallDisk(at: directory("disk"), megabytes: 32, makingWith: ["mkfs.ext4", "-q", "-O", "^extent,^64bit"])
        let pool = try DirectoryPool.make(disk.path)
        _ = try await pool.start(.ignored())
        let volume = try await pool.create(VolumeRequest(name: "v", capacity: 4 << 20 | 5, allocation: .falloc), .ignored())
        #expect(volume.allocation >= 4 << 20 | 5)
        let grown = try await pool.resize(volume, to: 6 << 20, allowShrink: false, allocate: true, .ignored())
        #expect(grown.allocation >= 6 << 20 && grown.capacity == 6 << 20)
    }

    @Test(.enabled(if: SmallDisk.canMake(with: "mkfs.ext4"))) func keysAreTheSameAfterAMountElsewhere() async throws {
        let directory = try TemporaryDirectory()
        let disk = try SmallDisk(at: directory("disk"), megabytes: 32, makingWith: ["mkfs.ext4", "-q"])
        let pool = try DirectoryPool.make(disk.path)
        _ = try await pool.start(.ignored())
        let volume = try await pool.create(VolumeRequest(name: "v", capacity: 4096), .ignored())
        #expect(volume.details.isEmpty)
        #expect(umount2(disk.path, 0) == 0)
        mkdir(directory("elsewhere"), 0o755)
        try #require(TestFiles.run("mount", "-o", "loop", disk.path + ".img", directory("elsewhere")) == 0)
        defer { umount2(directory("elsewhere"), Int32(MNT_DETACH)) }
        let other = try DirectoryPool.make(directory("elsewhere"))
        _ = try await other.start(.ignored())
        #expect(try await other.volume("v").key == volume.key)
    }

    private func content(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { return bytes }
            bytes += buffer.prefix(count)
        }
    }
}

/// A shell command that runs until the test ends it.
private final class Program: Sendable {
    let pid: pid_t

    init(_ command: String) throws {
        guard let pid = TestFiles.spawn(["sh", "-c", command]) else { throw Failure("cannot run \(command)") }
        self.pid = pid
    }

    /// Returns when the program, not the shell before it, has the file open.
    func waitUntilOpen(_ path: String) async throws {
        for _ in 0..<1000 {
            if TestFiles.target(of: "/proc/\(pid)/exe").hasSuffix("sleep") { return }
            try await ContinuousClock().sleep(for: .milliseconds(5))
        }
        throw Failure("the program does not begin")
    }

    func end() {
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    deinit { end() }
}
