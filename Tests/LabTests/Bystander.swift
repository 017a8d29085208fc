// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Testing

/// Somebody who uses another pool while a disk is faulty, without a pause: makes and removes volumes there, and reads of all pools.
/// Whatever fails for them fails the test.
@LoopActor final class Bystander {
    private let daemon: Daemon
    private let pool: ObjectPath
    private var isOver = false
    private var work: Task<Void, any Error>?
    /// How often everything was answered.
    private(set) var rounds = 0
    /// The most workers of the service that were seen waiting for a disk at once.
    private(set) var blockedWorkers = 0

    /// Runs a test with such a user.
    static func beside<T: Sendable>(_ daemon: Daemon, _ test: @LoopActor (Bystander) async throws -> T) async throws -> T {
        try await Guest.run("mkdir", "-p", "/srv/bystander")
        let bystander = Bystander(daemon, try await daemon.startedPool("bystander", at: "/srv/bystander"))
        bystander.work = Task { try await bystander.run() }
        do {
            let result = try await test(bystander)
            try await bystander.end()
            return result
        } catch {
            try? await bystander.end()
            throw error
        }
    }

    private init(_ daemon: Daemon, _ pool: ObjectPath) {
        self.daemon = daemon
        self.pool = pool
    }

    private func run() async throws {
        while !isOver {
            let (volume, _) = try await daemon.create(pool, "b\(rounds)", 4096, ["wait": .bool(true)])
            try await daemon.perform(volume, "Volume", "Delete")
            let pools = try await daemon.client.call(
                Daemon.name, "/org/cistern1/pools", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                returning: [ObjectPath: [String: [String: Variant]]].self)
            #expect(pools.count > 1)
            blockedWorkers = max(blockedWorkers, Guest.blockedWorkers(of: daemon.pid))
            rounds += 1
        }
    }

    private func end() async throws {
        isOver = true
        try await work?.value
        try await daemon.perform(pool, "Pool", "Stop")
    }
}
