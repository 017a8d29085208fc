// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite struct VolumeCallTests {
    @Test func `a sparse volume is there when the call returns, without a job`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, job) = try await harness.create(pool, "with space & ünïcode", 1 << 30, ["mode": .uint32(0o640)])
            #expect(job == "/")
            let status = try #require(fileStatus(directory + "/with space & ünïcode"))
            #expect(status.st_size == 1 << 30 && status.st_blocks == 0 && status.st_mode & 0o7777 == 0o640)
            let properties = try await harness.properties(volume, Harness.volumeInterface)
            #expect(properties["Capacity"] == .uint64(1 << 30) && properties["Allocation"] == .uint64(0))
            #expect(properties["Format"] == .string("raw") && properties["State"] == .string("ready"))
            #expect(properties["Path"] == .string(directory + "/with space & ünïcode"))
            #expect(properties["Key"]?.text?.isEmpty == false && properties["Pool"] == .path(pool))
            await expectError("Exists") { _ = try await harness.create(pool, "with space & ünïcode", 1) }
        }
    }

    @Test func `falloc reserves, full writes`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            for allocation in ["falloc", "full"] {
                let (volume, _) = try await harness.create(
                    pool, allocation, 3 << 20 | 512, ["allocation": .string(allocation), "wait": .bool(true)])
                let status = try #require(fileStatus(directory + "/" + allocation))
                #expect(status.st_size == 3 << 20 | 512 && status.st_blocks * 512 >= 3 << 20 | 512)
                #expect(try await harness.property(volume, Harness.volumeInterface, "State", as: String.self) == "ready")
                let descriptor = open(directory + "/" + allocation, O_RDONLY | O_CLOEXEC)
                let written = lseek(descriptor, 0, 3 /* SEEK_DATA, which the Glibc module hides */) == 0
                close(descriptor)
                #expect(written == (allocation == "full"), "what is only reserved has no data")
            }
        }
    }

    @Test func `delete removes it, and refuses another object under the name`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            let key = try await harness.property(volume, Harness.volumeInterface, "Key", as: String.self)
            await expectError("NotFound") { _ = try await harness.job(volume, "Delete", ["key": .string("another")]) }
            #expect(entries(directory) == ["v"])
            _ = try await harness.job(volume, "Delete", ["key": .string(key), "wait": .bool(true)])
            #expect(entries(directory).isEmpty)
            await expectError("org.freedesktop.DBus.Error.UnknownObject") { _ = try await harness.job(volume, "Delete") }
        }
    }

    @Test func `a volume that somebody has open is not deleted, and the refusal names who`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            let descriptor = open(directory + "/v", O_RDWR | O_CLOEXEC)
            do {
                _ = try await harness.job(volume, "Delete", ["wait": .bool(true)])
                Issue.record("deleted under somebody's hands")
            } catch let error as BusError {
                #expect(error.name == "org.cistern1.Error.Busy" && error.message.contains(String(getpid())), "\(error.message)")
            }
            close(descriptor)
            _ = try await harness.job(volume, "Delete", ["wait": .bool(true)])
            #expect(entries(directory).isEmpty)
        }
    }

    @Test func `resize grows, refuses to shrink, shrinks when allowed`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            @LoopActor func resize(_ capacity: UInt64, _ options: [String: Variant] = [:]) async throws -> ObjectPath {
                try await harness.call(volume, Harness.volumeInterface, "Resize", capacity, options, returning: ObjectPath.self)
            }
            #expect(try await resize(4096) == "/")
            _ = try await resize(8192, ["wait": .bool(true)])
            #expect(fileStatus(directory + "/v")?.st_size == 8192)
            #expect(try await harness.property(volume, Harness.volumeInterface, "Capacity", as: UInt64.self) == 8192)
            await expectError("ShrinkRefused") { _ = try await resize(100) }
            #expect(fileStatus(directory + "/v")?.st_size == 8192)
            _ = try await resize(100, ["allow-shrink": .bool(true), "wait": .bool(true)])
            #expect(fileStatus(directory + "/v")?.st_size == 100)
            _ = try await resize(1 << 20, ["allocate": .bool(true), "wait": .bool(true)])
            #expect((fileStatus(directory + "/v")?.st_blocks ?? 0) * 512 >= 1 << 20)
        }
    }

    @Test func `rename never replaces, and the key stays`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "a", 4096)
            _ = try await harness.create(pool, "b", 8192)
            let key = try await harness.property(volume, Harness.volumeInterface, "Key", as: String.self)
            @LoopActor func rename(_ name: String) async throws -> ObjectPath {
                try await harness.call(volume, Harness.volumeInterface, "Rename", name, [String: Variant](), returning: ObjectPath.self)
            }
            await expectError("Exists") { _ = try await rename("b") }
            await expectError(invalidArgs) { _ = try await rename("../b") }
            let renamed = try await rename("c")
            #expect(try await harness.property(renamed, Harness.volumeInterface, "Key", as: String.self) == key)
            let found = try await harness.call(
                Harness.manager, Harness.managerInterface, "GetVolumeByKey", key, [String: Variant](), returning: ObjectPath.self)
            #expect(found == renamed)
            #expect(entries(directory) == ["b", "c"])
            #expect(fileStatus(directory + "/b")?.st_size == 8192)
        }
    }

    @Test func `permissions change what is given and nothing else`() async throws {
        try await Harness.run { harness in
            let (pool, directory) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            @LoopActor func set(_ permissions: [String: Variant]) async throws {
                try await harness.call(volume, Harness.volumeInterface, "SetPermissions", permissions, [String: Variant]())
            }
            try await set(["mode": .uint32(0o604)])
            #expect(fileStatus(directory + "/v").map { $0.st_mode & 0o7777 } == 0o604)
            #expect(try await harness.property(volume, Harness.volumeInterface, "Mode", as: UInt32.self) == 0o604)
            await expectError(invalidArgs) { try await set(["mode": .uint32(0o4777)]) }
            await expectError(invalidArgs) { try await set(["label": .string("x")]) }
            if geteuid() == 0 {
                try await set(["owner": .uint32(12), "group": .uint32(34)])
                let status = try #require(fileStatus(directory + "/v"))
                #expect(status.st_uid == 12 && status.st_gid == 34 && status.st_mode & 0o7777 == 0o604)
            }
        }
    }

    @Test func `Open hands out exactly the rights that were asked for`() async throws {
        try await Harness.run { harness in
            let (pool, _) = try await harness.startedPool()
            let (volume, _) = try await harness.create(pool, "v", 4096)
            for (mode, flags) in [("r", O_RDONLY), ("w", O_WRONLY), ("rw", O_RDWR)] {
                let data = try await harness.call(
                    volume, Harness.volumeInterface, "Open", mode, [String: Variant](), returning: UnixDescriptor.self)
                #expect(fcntl(data.descriptor, F_GETFL) & O_ACCMODE == flags)
                var status = stat()
                #expect(fstat(data.descriptor, &status) == 0 && status.st_size == 4096)
            }
            await expectError(invalidArgs) {
                _ = try await harness.call(
                    volume, Harness.volumeInterface, "Open", "x", [String: Variant](), returning: UnixDescriptor.self)
            }
        }
    }

    @Test func `what cannot be a volume is skipped with a reason, and hangs nothing`() async throws {
        try await Harness.run { harness in
            let directory = harness.root + "/p"
            mkdir(directory, 0o755)
            writeFile(directory + "/good")
            mkfifo(directory + "/fifo", 0o600)
            symlink("/etc/passwd", directory + "/symlink")
            link(directory + "/good", directory + "/good2")
            mkdir(directory + "/sub", 0o755)
            writeFile(directory + "/.cistern-left")
            let bytes: [CChar] = directory.utf8CString.dropLast() + [47, -1, -2, 0]
            close(open(bytes, O_CREAT | O_WRONLY, 0o600))
            let (pool, _) = try await harness.startedPool("p", directory: directory)
            let properties = try await harness.properties(pool, Harness.poolInterface)
            #expect(properties["VolumeCount"] == .uint32(1))
            let skipped = properties["Skipped"]?.elements?.compactMap { $0.elements?.first?.text } ?? []
            #expect(Set(["fifo", "symlink", "sub"]).isSubset(of: Set(skipped)) && !skipped.contains(".cistern-left"), "\(skipped)")
            #expect(properties["SkippedCount"] == .uint32(5), "\(skipped)")
        }
    }
}
