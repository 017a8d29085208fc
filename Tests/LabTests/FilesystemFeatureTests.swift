// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// What only some file systems can, and what they keep for somebody.
@Suite(.serialized, .inTheLab) struct FilesystemFeatureTests {
    @Test func `a pool on Btrfs, or one volume of it, is kept from being copied on write`() async throws {
        try await onDisk { daemon, disk in
            let settings: [String: Variant] = [
                "source.devices": .strings([disk.node]), "source.format": .string("btrfs"), "target.path": .string(place),
            ]
            let pool = try await daemon.pool(settings)
            try await daemon.perform(pool, "Pool", "Build")
            try await daemon.perform(pool, "Pool", "Start")
            for nocow in [false, true] {
                for format in ["raw", "qcow2"] {
                    let xml = """
                        <volume><name>\(format)-\(nocow)</name><capacity>1048576</capacity>
                        <target><format type='\(format)'/>\(nocow ? "<nocow/>" : "")</target></volume>
                        """
                    _ = try await daemon.call(
                        pool, "Pool", "CreateVolumeXML", xml, ["wait": Variant.bool(true)], returning: ObjectPath.self, ObjectPath.self)
                    #expect(try await isNeverCopied("\(place)/\(format)-\(nocow)") == nocow, "\(format)")
                }
            }
            try await daemon.perform(pool, "Pool", "Stop")
            _ = try await daemon.call(pool, "Pool", "Undefine", [String: Variant]())

            let other = try await daemon.pool(settings.merging(["features.cow": .bool(false)]) { $1 })
            try await daemon.perform(other, "Pool", "Build", ["overwrite": .bool(true)])
            try await daemon.perform(other, "Pool", "Start")
            _ = try await daemon.create(other, "v", 1 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            #expect(try await isNeverCopied(place + "/v"))
            try await daemon.perform(other, "Pool", "Stop")
        }
    }

    @Test func `a file system that always copies on write, or never does, is not told to do so`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool([
                "source.devices": .strings([disk.node]), "source.format": .string("ext4"), "target.path": .string(place),
                "features.cow": .bool(true),
            ])
            await expectError("NotSupported") { try await daemon.perform(pool, "Pool", "Build") }
            #expect(try await Guest.run("findmnt", "--noheadings", "--list", "--output", "TARGET").contains(place) == false)
        }
    }

    @Test func `what a file system keeps for root is not available, and not taken`() async throws {
        try await onDisk { daemon, disk in
            try await Guest.run("mkfs.ext4", "-q", "-F", "-m", "40", disk.node)
            let pool = try await daemon.pool(on: disk, "ext4")
            try await daemon.perform(pool, "Pool", "Start")
            let properties = try await daemon.properties(pool, "Pool")
            let capacity = try #require(properties["Capacity"]?.unsigned), available = try #require(properties["Available"]?.unsigned)
            #expect(available < capacity * 6 / 10)
            await expectError("NoSpace") {
                _ = try await daemon.create(pool, "v", available + (8 << 20), ["allocation": .string("full"), "wait": .bool(true)])
            }
            #expect(Guest.entries(place) == ["lost+found"])
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `a pool whose directory has a quota is as large as that`() async throws {
        try await onDisk { daemon, disk in
            try await Guest.run("mkfs.xfs", "-q", disk.node)
            let pool = try await daemon.pool([
                "source.devices": .strings([disk.node]), "source.format": .string("xfs"), "target.path": .string(place),
                "options.mount": .strings(["prjquota"]),
            ])
            try await daemon.perform(pool, "Pool", "Start")
            try await Guest.run(
                "xfs_quota", "-x", "-D", "/dev/null", "-P", "/dev/null", "-c", "project -s -p \(place) 7", "-c", "limit -p bhard=64m 7",
                place)
            try await daemon.perform(pool, "Pool", "Refresh")
            #expect(try await daemon.properties(pool, "Pool")["Capacity"]?.unsigned == 64 << 20)
            await expectError("NoSpace") {
                _ = try await daemon.create(pool, "large", 80 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            }
            _ = try await daemon.create(pool, "small", 32 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            let available = try #require(try await daemon.properties(pool, "Pool")["Available"]?.unsigned)
            #expect(available <= 32 << 20)
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    /// Whether a file has the attribute C of chattr(1).
    @LoopActor private func isNeverCopied(_ path: String) async throws -> Bool {
        try await Guest.run("lsattr", "-d", path).prefix { $0 != " " }.contains("C")
    }
}
