// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@Suite(.serialized, .inTheLab) struct PulledDiskTests {
    @Test(arguments: FileSystem.allCases) func `a disk pulled out while a volume is written ends the job and disturbs nobody`(
        _ fileSystem: FileSystem
    ) async throws {
        let directory = "/mnt/pulled"
        try await Disk.plugged { disk in
            try await Guest.run("mkdir", "-p", "/srv/bystander")
            try await Daemon.run { daemon in
                let bystander = try await daemon.startedPool("bystander", at: "/srv/bystander")
                try await fileSystem.mounted(from: disk, at: directory) {
                    let pool = try await daemon.startedPool("p", at: directory)
                    try disk.answer(after: 5)
                    let (_, job) = try await daemon.create(pool, "v", 200 << 20, ["allocation": .string("full")])
                    try await daemon.wait(for: job) { ($0["BytesDone"]?.unsigned ?? 0) > 10 << 20 }

                    async let waits = self.waits(daemon, bystander, until: job)
                    try await disk.pull()
                    let (ours, floor) = try await waits
                    // What the bus itself made a caller wait for is the machine's doing.
                    #expect(ours.percentile(99) < floor.percentile(99) + .milliseconds(100))
                    #expect(ours.percentile(100) < floor.percentile(100) + .seconds(1))

                    let ended = try await daemon.properties(job, "Job")
                    #expect(ended["State"]?.text == "failed")
                    #expect(ended["Error"]?.text?.hasPrefix("org.cistern1.Error.") == true)
                    #expect(ended["ErrorMessage"]?.text?.isEmpty == false)
                    #expect((ended["BytesDone"]?.unsigned ?? .max) < 200 << 20, "the disk went while it was written to")
                    // A pool can be stopped whatever became of its disk.
                    try await daemon.perform(pool, "Pool", "Stop")
                }
            }
        }
    }

    /// Asks for the properties of a pool again and again until a job has ended, and each time the bus for something, too; how long each
    /// answer took.
    @LoopActor private func waits(_ daemon: Daemon, _ pool: ObjectPath, until job: ObjectPath) async throws -> (
        ours: [Duration], floor: [Duration]
    ) {
        var ours: [Duration] = [], floor: [Duration] = []
        let bus = "org.freedesktop.DBus"
        while ["queued", "running"].contains(try await daemon.properties(job, "Job")["State"]?.text) {
            var began = ContinuousClock.now
            _ = try await daemon.properties(pool, "Pool")
            ours.append(.now - began)
            began = .now
            _ = try await daemon.client.call(bus, "/org/freedesktop/DBus", bus, "GetId", returning: String.self)
            floor.append(.now - began)
        }
        return (ours, floor)
    }
}

extension [Duration] {
    /// What so many of a hundred are not longer than.
    fileprivate func percentile(_ percent: Int) -> Duration {
        isEmpty ? .zero : sorted()[Swift.max(0, (count * percent + 99) / 100 - 1)]
    }
}
