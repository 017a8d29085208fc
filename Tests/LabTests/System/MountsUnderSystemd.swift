// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Testing

/// Mounts are made for the whole machine.
@Suite(.serialized, .underSystemd, .timeLimit(.minutes(2))) struct MountsUnderSystemd {
    @Test func `what the service mounts is mounted for process 1`() async throws {
        try await withDisk { daemon, disk in
            let pool = try await daemon.startedPool(on: disk, "ext4")
            #expect(try await Guest.run("findmnt", "--task", "1", "--noheadings", "--output", "SOURCE", place) == disk.node)
            try await daemon.perform(pool, "Pool", "Stop")
        }
    }

    @Test func `a service that is kept from mounting for the machine mounts nothing, and says so`() async throws {
        try await withDisk { daemon, disk in
            let pool = try await daemon.pool(on: disk, "ext4")
            try await daemon.perform(pool, "Pool", "Build")
            try await Installation.with("[Service]\nPrivateMounts=yes\n") {
                await expectError("Unavailable") { try await daemon.perform(pool, "Pool", "Start") }
                let reason = try await daemon.properties(pool, "Pool")["StateReason"]?.text ?? ""
                #expect(reason.contains("PrivateMounts"), "\(reason)")
            }
        }
    }

    private func withDisk(_ test: @LoopActor (Daemon, Disk) async throws -> Void) async throws {
        try await Disk.plugged { disk in
            try await Guest.run("wipefs", "--all", "--quiet", disk.node)
            try await Installation.run { daemon in try await test(daemon, disk) }
        }
    }
}
