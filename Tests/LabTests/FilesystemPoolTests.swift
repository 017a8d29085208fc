// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

/// Pools of type `fs`: a whole file system on a disk of its own.
@Suite(.serialized, .inTheLab) struct FilesystemPoolTests {
    @Test(arguments: ["ext4", "xfs", "btrfs", "vfat"])
    func `a pool is built, started, used, stopped and deleted`(_ format: String) async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(on: disk, format)
            try await daemon.perform(pool, "Pool", "Build")
            #expect(try await Guest.run("blkid", "-p", "-o", "value", "-s", "TYPE", disk.node) == format)
            // lsblk says what udev knows, which has finished with the device when the job has.
            #expect(try await Guest.run("lsblk", "--noheadings", "--output", "FSTYPE", disk.node) == format)
            try await daemon.perform(pool, "Pool", "Start")
            #expect(try await Guest.run("lsblk", "--noheadings", "--output", "MOUNTPOINT", disk.node) == place)
            let mounted = try await Guest.run("findmnt", "--noheadings", "--output", "SOURCE,FSTYPE,OPTIONS", place)
            for word in [disk.node, format, "nodev", "nosuid", "noexec", "noatime"] { #expect(mounted.contains(word), "\(mounted)") }

            let (volume, _) = try await daemon.create(pool, "v", 8 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            let key = try await daemon.properties(volume, "Volume")["Key"]
            #expect(Guest.allocation(place + "/v") ?? 0 >= 8 << 20)
            await expectError("Busy") { try await daemon.delete(pool) }
            try await daemon.perform(pool, "Pool", "Stop")
            #expect(try await Guest.run("findmnt", "--noheadings", "--list", "--output", "TARGET").contains(place) == false)
            #expect(Guest.entries(place).isEmpty, "nothing is written where the file system would be")
            await expectError("Busy") { try await daemon.delete(pool) }

            try await daemon.perform(pool, "Pool", "Start")
            let again = try await daemon.call(pool, "Pool", "GetVolume", "v", [String: Variant](), returning: ObjectPath.self)
            if format != "vfat" { #expect(try await daemon.properties(again, "Volume")["Key"] == key) }
            try await daemon.perform(again, "Volume", "Delete")
            try await daemon.perform(pool, "Pool", "Stop")
            try await daemon.delete(pool)
            #expect(try await Guest.run("wipefs", "--no-act", "--parsable", disk.node) == "")
            #expect(access(place, F_OK) != 0)
        }
    }

    @Test func `what holds anything is not built over, and is as it was`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(on: disk, "ext4")
            let makers: [(String, [String])] = [
                ("mkfs.ext4", ["-q", "-F", "-E", "nodiscard"]), ("pvcreate", ["-y", "-ff"]), ("mkswap", ["--force"]),
                (
                    "cryptsetup",
                    ["luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "/etc/hostname"]
                ),
                ("sh", ["-c", "echo 'label: gpt' | sfdisk --quiet --wipe always \"$0\""]),
            ]
            for (program, arguments) in makers {
                try await Guest.run("wipefs", "--all", "--quiet", disk.node)
                try await Guest.run(program, arguments + [disk.node])
                let before = try await Guest.run("sh", "-c", "head -c 32M \"$0\" | sha256sum", disk.node)
                await expectError("SignatureFound") { try await daemon.perform(pool, "Pool", "Build") }
                #expect(try await Guest.run("sh", "-c", "head -c 32M \"$0\" | sha256sum", disk.node) == before, "\(program)")
            }
            try await daemon.perform(pool, "Pool", "Build", ["overwrite": .bool(true)])
            #expect(try await Guest.run("blkid", "-p", "-o", "value", "-s", "TYPE", disk.node) == "ext4")

            mkdir("/mnt/other", 0o755)
            try await Guest.run("mount", disk.node, "/mnt/other")
            await expectError("Busy") { try await daemon.perform(pool, "Pool", "Build", ["overwrite": .bool(true)]) }
            try await Guest.run("umount", "/mnt/other")
        }
    }

    @Test func `a pool whose file system is unmounted by others writes nothing into the bare directory`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(on: disk, "ext4")
            try await daemon.perform(pool, "Pool", "Build")
            try await daemon.perform(pool, "Pool", "Start")
            let changes = try await daemon.client.signals(path: pool, member: "PropertiesChanged")
            try await Guest.run("umount", place)
            for await change in changes where change.body[1].dictionary?["State"] == .string("unavailable") { break }
            await expectError("Unavailable") { _ = try await daemon.create(pool, "v", 4096, [:]) }
            #expect(Guest.entries(place).isEmpty)
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `something else at the target is left alone`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(on: disk, "ext4")
            try await daemon.perform(pool, "Pool", "Build")
            try await Guest.run("mount", "-t", "tmpfs", "other", place)
            await expectError("Busy") { try await daemon.perform(pool, "Pool", "Start") }
            #expect(try await Guest.run("findmnt", "--noheadings", "--output", "FSTYPE", place) == "tmpfs")
            try await Guest.run("umount", place)
        }
    }

    @Test(arguments: ["ext4", "xfs", "btrfs"])
    func `a disk pulled out makes the pool unavailable, and plugged in again brings it back`(_ format: String) async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(at: disk.link, format)
            try await daemon.perform(pool, "Pool", "Build")
            try await daemon.perform(pool, "Pool", "Start")
            let (volume, _) = try await daemon.create(pool, "kept", 1 << 20, ["allocation": .string("full"), "wait": .bool(true)])
            let key = try await daemon.properties(volume, "Volume")["Key"]
            try disk.answer(after: 5)
            let (_, job) = try await daemon.create(pool, "lost", 200 << 20, ["allocation": .string("full")])
            try await disk.pull()
            try disk.answer(after: 0)
            let reason = try await daemon.becomes("unavailable", pool)
            #expect(reason.contains(disk.link), "\(reason)")
            _ = try? await daemon.call(job, "Job", "Wait", [String: Variant](), returning: [String: Variant].self)
            let ended = try await daemon.properties(job, "Job")
            #expect(ended["State"]?.text == "failed" && ended["Error"]?.text?.hasPrefix("org.cistern1.Error.") == true, "\(ended)")
            await expectError("Unavailable") { _ = try await daemon.create(pool, "v", 4096, [:]) }

            let began = ContinuousClock.now
            try disk.plugAgain()
            try await daemon.becomes("active", pool)
            #expect(.now - began < .seconds(8), "long before the next time that it would be looked for unasked")
            let again = try await daemon.call(pool, "Pool", "GetVolume", "kept", [String: Variant](), returning: ObjectPath.self)
            #expect(try await daemon.properties(again, "Volume")["Key"] == key)
            #expect(Guest.entries(place).subtracting(["lost+found"]) == ["kept"])
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `a pool waits for a disk that is not there yet`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(at: disk.link, "ext4")
            try await daemon.perform(pool, "Pool", "Build")
            try await daemon.perform(pool, "Pool", "Start")
            // The machine may be busy with something else for a while, but not each time.
            var fastest = Duration.seconds(60)
            for _ in 0..<3 where fastest >= .seconds(1) {
                try await daemon.restart {
                    try await Guest.run("umount", place)
                    try await disk.pull()
                }
                #expect(try await daemon.becomes("waiting", pool).contains(disk.link))
                let arrived = Task { try await Guest.run("udevadm", "wait", "--timeout=20", "--initialized=yes", disk.link) }
                try disk.plugAgain()
                _ = try await arrived.value
                let began = ContinuousClock.now
                let changes = try await daemon.client.signals(path: pool, member: "PropertiesChanged")
                if try await daemon.properties(pool, "Pool")["State"]?.text == "waiting" {
                    for await change in changes where change.body[1].dictionary?["State"] != nil { break }
                }
                fastest = min(fastest, .now - began)
                try await daemon.becomes("active", pool)
            }
            #expect(fastest < .seconds(1), "as soon as udev has finished with it")
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `a pool that was unmounted by hand stays away until it is asked for`() async throws {
        try await onDisk { daemon, disk in
            let pool = try await daemon.pool(on: disk, "ext4")
            try await daemon.perform(pool, "Pool", "Build")
            try await daemon.perform(pool, "Pool", "Start")
            try await Guest.run("umount", place)
            try await daemon.becomes("unavailable", pool)
            // udev has something to tell of the disk, and it is looked at.
            try await Guest.run("udevadm", "trigger", "--settle", disk.node)
            #expect(try await daemon.properties(pool, "Pool")["State"]?.text == "unavailable")
            try await daemon.perform(pool, "Pool", "Refresh")
            #expect(try await daemon.properties(pool, "Pool")["State"]?.text == "active")
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }
}
