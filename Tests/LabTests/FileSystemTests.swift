// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

private let megabyte: UInt64 = 1 << 20
private let directory = "/mnt/pool"

/// Pools of type `dir` on file systems and disks of their own.
@Suite(.serialized, .inTheLab) struct FileSystemTests {
    @Test(arguments: FileSystem.allCases) func `volumes take the space they were given, grow and go`(_ fileSystem: FileSystem) async throws
    {
        try await onPool(fileSystem) { daemon, pool in
            for allocation in ["sparse", "falloc", "full"] {
                let (volume, _) = try await daemon.create(
                    pool, allocation, 16 * megabyte, ["allocation": .string(allocation), "wait": .bool(true)])
                let taken = try #require(Guest.allocation("\(directory)/\(allocation)"))
                if allocation == "sparse" { #expect(taken < megabyte) } else { #expect(taken >= 16 * megabyte) }
                let properties = try await daemon.properties(volume, "Volume")
                #expect(properties["Capacity"]?.unsigned == 16 * megabyte)
                #expect(properties["Allocation"]?.unsigned == UInt64(taken))
            }
            let (image, _) = try await daemon.create(pool, "image", 64 * megabyte, ["format": .string("qcow2"), "wait": .bool(true)])
            #expect(try await daemon.properties(image, "Volume")["Format"]?.text == "qcow2")
            #expect(try await Guest.run("qemu-img", "check", directory + "/image").contains("No errors"))

            let (volume, _) = try await daemon.create(pool, "grown", megabyte, ["wait": .bool(true)])
            _ = try await daemon.call(volume, "Volume", "Resize", 8 * megabyte, ["wait": Variant.bool(true)], returning: ObjectPath.self)
            #expect(try await daemon.properties(volume, "Volume")["Capacity"]?.unsigned == 8 * megabyte)
            #expect(try await Guest.run("stat", "--format=%s", directory + "/grown") == "\(8 * megabyte)")
            try await daemon.perform(volume, "Volume", "Delete")
            #expect(Guest.allocation(directory + "/grown") == nil)
            #expect(try await daemon.properties(pool, "Pool")["VolumeCount"]?.unsigned == 4)
        }
    }

    @Test(arguments: FileSystem.allCases) func `a cp into the pool is a volume at once`(_ fileSystem: FileSystem) async throws {
        try await onPool(fileSystem) { daemon, pool in
            #expect(try await daemon.properties(pool, "Pool")["Watch"]?.text == "inotify")
            let signals = try await daemon.client.signals(
                pathNamespace: "/org/cistern1/volumes", interface: "org.freedesktop.DBus.ObjectManager", member: "InterfacesAdded")
            try await Guest.run("cp", "/etc/services", directory + "/copy")
            let volume = try #require(await signals.first()?.body.first?.path)
            #expect(try await daemon.properties(volume, "Volume")["Path"]?.text == directory + "/copy")
        }
    }

    @Test(arguments: FileSystem.allCases) func `a volume keeps its key when its file system is mounted again`(_ fileSystem: FileSystem)
        async throws
    {
        try await Disk.plugged { disk in
            try await Daemon.run { daemon in
                let (pool, key) = try await fileSystem.mounted(from: disk, at: directory) {
                    let pool = try await daemon.startedPool("p", at: directory)
                    let (volume, _) = try await daemon.create(pool, "v", megabyte, ["wait": .bool(true)])
                    let key = try #require(try await daemon.properties(volume, "Volume")["Key"]?.text)
                    try await daemon.perform(pool, "Pool", "Stop")
                    return (pool, key)
                }
                // Through a loop device, so that the kernel knows it by another number.
                try await Guest.run("mount", "-o", "loop", disk.node, directory)
                try await daemon.perform(pool, "Pool", "Start")
                let volume = try await daemon.call(
                    Daemon.manager, "Manager", "GetVolumeByKey", key, [String: Variant](), returning: ObjectPath.self)
                #expect(try await daemon.properties(volume, "Volume")["Name"]?.text == "v")
                try await daemon.perform(pool, "Pool", "Stop")
                try await Guest.run("umount", directory)
            }
        }
    }

    @Test(arguments: FileSystem.allCases) func `a volume that does not fit leaves nothing behind`(_ fileSystem: FileSystem) async throws {
        try await onPool(fileSystem) { daemon, pool in
            for allocation in ["falloc", "full"] {
                let options = ["allocation": Variant.string(allocation), "wait": .bool(true)]
                let error = await #expect(throws: BusError.self) { try await daemon.create(pool, "v", 2 * Disk.size, options) }
                #expect(error?.name == "org.cistern1.Error.NoSpace", "\(error?.message ?? "")")
                #expect(Guest.entries(directory).subtracting(["lost+found"]).isEmpty)
            }
            // The pool is as good as before.
            _ = try await daemon.create(pool, "v", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
        }
    }

    /// A started pool on the file system of a new disk.
    private func onPool(_ fileSystem: FileSystem, _ test: @LoopActor (Daemon, ObjectPath) async throws -> Void) async throws {
        try await Disk.plugged { disk in
            try await fileSystem.mounted(from: disk, at: directory) {
                try await Daemon.run { daemon in
                    let pool = try await daemon.startedPool("p", at: directory)
                    try await test(daemon, pool)
                }
            }
        }
    }
}
