// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Testing

/// Somebody who uses another pool while a disk is faulty.
@LoopActor final class Bystander {
    private let daemon: Daemon
    private let pool: ObjectPath
    /// The most workers of the service that were seen waiting for a disk at once.
    private(set) var blockedWorkers = 0

    init(_ daemon: Daemon) async throws {
        try await Guest.run("mkdir", "-p", "/srv/bystander")
        self.daemon = daemon
        pool = try await daemon.startedPool("bystander", at: "/srv/bystander")
    }

    /// Makes and removes a volume, and reads of all pools.
    func work() async throws {
        let (volume, _) = try await daemon.create(pool, "b", 4096, ["wait": .bool(true)])
        try await daemon.perform(volume, "Volume", "Delete")
        let pools = try await daemon.client.call(
            Daemon.name, "/org/cistern1/pools", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
            returning: [ObjectPath: [String: [String: Variant]]].self)
        #expect(pools.count > 1)
        blockedWorkers = max(blockedWorkers, Guest.blockedWorkers(of: daemon.pid))
    }

    /// Works until a job has ended; its properties then.
    func work(until job: ObjectPath) async throws -> [String: Variant] {
        while true {
            try await work()
            let properties = try await daemon.properties(job, "Job")
            if !["queued", "running"].contains(properties["State"]?.text) { return properties }
        }
    }
}
