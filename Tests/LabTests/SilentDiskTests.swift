// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

private let megabyte: UInt64 = 1 << 20

/// Disks that answer late, or not at all: nobody waits for them who has nothing to do with them.
@Suite(.serialized, .inTheLab) struct SilentDiskTests {
    @Test func `a disk that takes half a second for everything holds up two workers at most, and nobody else`() async throws {
        try await onMappedDisk { daemon, disk in
            let pool = try await daemon.startedPool(at: disk.node, "ext4")
            let bystander = try await Bystander(daemon)
            try await disk.become(.slow(500))
            let (_, job) = try await daemon.create(pool, "long", 200 * megabyte, ["allocation": .string("full")])
            let short = (0..<4).map { number in
                Task { @LoopActor in try await daemon.create(pool, "short\(number)", 4096, ["wait": .bool(true)]).volume }
            }
            // Not even the first piece takes less.
            for _ in 0..<3 { try await bystander.work() }
            #expect(try await daemon.properties(job, "Job")["BytesDone"]?.unsigned == 0)
            for work in short { _ = try await work.value }
            #expect((1...2).contains(bystander.blockedWorkers), "\(bystander.blockedWorkers)")

            try await daemon.call(job, "Job", "Cancel", [String: Variant]())
            #expect(try await bystander.work(until: job)["State"]?.text == "cancelled")
            #expect(try await daemon.volumes(of: pool) == ["short0", "short1", "short2", "short3"])
            try await disk.become(.well)
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `a disk that answers no more makes its pool unavailable, and goes on where it was`() async throws {
        try await onMappedDisk { daemon, disk in
            let pool = try await daemon.startedPool(at: disk.node, "ext4")
            _ = try await daemon.create(pool, "kept", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
            // What has been changed since it was mounted stays in memory.
            try await daemon.perform(pool, "Pool", "Stop")
            try await daemon.perform(pool, "Pool", "Start")
            let bystander = try await Bystander(daemon)
            try disk.disk.answer(after: 2)
            let (_, write) = try await daemon.create(pool, "v", 200 * megabyte, ["allocation": .string("full")])
            try await daemon.wait(for: write) { ($0["BytesDone"]?.unsigned ?? 0) > 0 }
            try Guest.forget()
            try await disk.stopAnswering()
            try disk.disk.answer(after: 0)

            let refresh = try await daemon.call(pool, "Pool", "Refresh", [String: Variant](), returning: ObjectPath.self)
            for _ in 0..<3 { try await bystander.work() }
            #expect(bystander.blockedWorkers == 2)
            await expectError("Busy") { try await daemon.perform(pool, "Pool", "Stop") }
            let ended = try await daemon.end(of: refresh)
            #expect(ended["State"]?.text == "failed" && ended["Error"]?.text == "org.cistern1.Error.TimedOut", "\(ended)")
            let properties = try await daemon.properties(pool, "Pool")
            #expect(properties["State"]?.text == "unavailable")
            #expect(properties["StateReason"]?.text?.contains("has not answered") == true, "\(properties)")
            #expect(try await daemon.volumes(of: pool) == ["kept"])
            await expectError("Unavailable") { _ = try await daemon.create(pool, "w", 4096, [:]) }
            // Nobody can take back what the disk has been asked for, but it goes no further.
            try await daemon.call(write, "Job", "Cancel", [String: Variant]())
            try await bystander.work()

            try await disk.answerAgain()
            #expect(try await daemon.end(of: write)["State"]?.text == "cancelled")
            try await daemon.becomes("active", pool)
            #expect(try await daemon.volumes(of: pool) == ["kept"])
            _ = try await daemon.create(pool, "again", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
            try await self.giveUpStopping(pool, daemon, disk)
        }
    }

    /// A disk that answers no more holds up umount(8), which nothing can end, but nobody has to wait for that.
    @LoopActor private func giveUpStopping(_ pool: ObjectPath, _ daemon: Daemon, _ disk: MappedDisk) async throws {
        try await disk.stopAnswering()
        let stop = try await daemon.call(pool, "Pool", "Stop", [String: Variant](), returning: ObjectPath.self)
        try await daemon.wait(for: stop) { $0["Phase"]?.text == "unmounting" }
        try await daemon.call(stop, "Job", "Cancel", [String: Variant]())
        #expect(try await daemon.end(of: stop)["State"]?.text == "cancelled")
        try await disk.answerAgain()
    }

    private func onMappedDisk(_ test: @LoopActor (Daemon, MappedDisk) async throws -> Void) async throws {
        try await MappedDisk.made { disk in try await Daemon.run { daemon in try await test(daemon, disk) } }
    }
}
