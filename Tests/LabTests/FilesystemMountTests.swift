// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// What becomes of the mount of a pool, by whoever does it.
@Suite(.serialized, .inTheLab) struct FilesystemMountTests {
    @Test func `a file system that nobody uses is found, and a pool can be made of it`() async throws {
        try await onDisk { daemon, disk in
            #expect(try await daemon.sources() == [])
            try await Guest.run("mkfs.xfs", "-q", disk.node)
            try await Guest.run("udevadm", "trigger", "--settle", disk.node)
            let uuid = try await Guest.run("blkid", "-p", "-o", "value", "-s", "UUID", disk.node)
            let source: [String: Variant] = ["source.devices": .strings(["/dev/disk/by-uuid/\(uuid)"]), "source.format": .string("xfs")]
            #expect(try await daemon.sources() == [source])
            #expect(try await daemon.sources(["source.format": .string("xfs")]) == [source])
            #expect(try await daemon.sources(["source.devices": .strings([disk.link, "/dev/none"])]) == [source])
            #expect(try await daemon.sources(["source.format": .string("ext4")]) == [])
            #expect(try await daemon.sources(["source.devices": .strings(["/dev/none"])]) == [])

            let pool = try await daemon.pool(source.merging(["target.path": .string(place)]) { $1 })
            try await daemon.perform(pool, "Pool", "Start")
            #expect(try await daemon.sources() == [], "it is in use")
            try await daemon.perform(pool, "Pool", "Stop")
            #expect(try await daemon.properties(pool, "Pool")["Capabilities"]?.stringDictionary?["Manager.FindPoolSources"] == "")
        }
    }

    @Test func `a file system in use is unmounted only when a lazy stop is asked for`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.startedPool(on: disk, "ext4")
            let user = open(place + "/used", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
            await expectError("Busy") { try await daemon.perform(pool, "Pool", "Stop") }
            #expect(try await daemon.properties(pool, "Pool")["State"]?.text == "active")
            try await daemon.perform(pool, "Pool", "Stop", ["lazy": .bool(true)])
            #expect(try await daemon.properties(pool, "Pool")["State"]?.text == "inactive")
            #expect(try await Guest.run("findmnt", "--noheadings", "--list", "--output", "TARGET").contains(place) == false)
            #expect(pwrite(user, "still", 5, 0) == 5)
            await expectError("Busy") { try await daemon.perform(pool, "Pool", "Build", ["overwrite": .bool(true)]) }
            close(user)

            try await daemon.perform(pool, "Pool", "Start")
            let volume = try await daemon.call(pool, "Pool", "GetVolume", "used", [String: Variant](), returning: ObjectPath.self)
            try await daemon.perform(volume, "Volume", "Delete")
            try await daemon.perform(pool, "Pool", "Stop", ["lazy": .bool(true)])
        }
    }

    @Test func `what is mounted over a pool makes it unavailable until it is gone again`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.startedPool(on: disk, "ext4")
            try await Guest.run("mount", "-t", "tmpfs", "other", place)
            #expect(try await daemon.becomes("unavailable", pool).contains("other"))
            await expectError("Unavailable") { _ = try await daemon.create(pool, "v", 4096, [:]) }
            #expect(Guest.entries(place).isEmpty)
            try await Guest.run("umount", place)
            try await daemon.becomes("active", pool)
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `a pool that was unmounted by hand comes back when it is mounted by hand`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.startedPool(on: disk, "ext4")
            try await Guest.run("umount", place)
            try await daemon.becomes("unavailable", pool)
            let began = ContinuousClock.now
            try await Guest.run("mount", disk.node, place)
            try await daemon.becomes("active", pool)
            #expect(.now - began < .seconds(8), "long before the next time that it would be looked for unasked")
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }
}

extension Daemon {
    fileprivate func sources(_ wanted: [String: Variant] = [:]) async throws -> [[String: Variant]] {
        try await call(Self.manager, "Manager", "FindPoolSources", "fs", wanted, [String: Variant](), returning: [[String: Variant]].self)
    }
}
