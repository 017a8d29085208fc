// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Testing

/// Where pools of type `fs` are mounted.
let place = "/mnt/whole"

/// Runs a test with an empty disk, and a service that has nothing defined.
func onDisk(_ test: @LoopActor (Daemon, Disk) async throws -> Void) async throws {
    try await Disk.plugged { disk in
        try await Guest.run("wipefs", "--all", "--quiet", disk.node)
        try await Daemon.run { daemon in try await test(daemon, disk) }
    }
}

@LoopActor func expectError(_ name: String, _ body: @LoopActor () async throws -> Void) async {
    do {
        try await body()
        Issue.record("\(name) was expected, and nothing was thrown")
    } catch {
        #expect((error as? BusError)?.name == "org.cistern1.Error." + name, "\(error)")
    }
}

extension Daemon {
    /// A pool of type `fs` that is defined, and no more.
    func pool(on disk: Disk, _ format: String) async throws -> ObjectPath { try await pool(at: disk.node, format) }

    func pool(at device: String, _ format: String) async throws -> ObjectPath {
        try await pool([
            "source.devices": .strings([device]), "source.format": .string(format), "target.path": .string(place),
            "options.mount": .strings(["noatime"]),
        ])
    }

    func pool(_ settings: [String: Variant]) async throws -> ObjectPath {
        try await call(Self.manager, "Manager", "DefinePool", "whole", "fs", settings, [String: Variant](), returning: ObjectPath.self)
    }

    /// A pool that has a file system of its own, and is active.
    func startedPool(on disk: Disk, _ format: String) async throws -> ObjectPath {
        try await startedPool(at: disk.node, format)
    }

    /// The same on any device, whatever is on it.
    func startedPool(at device: String, _ format: String) async throws -> ObjectPath {
        let pool = try await pool(at: device, format)
        try await perform(pool, "Pool", "Build", ["overwrite": .bool(true)])
        try await perform(pool, "Pool", "Start")
        return pool
    }

    func delete(_ pool: ObjectPath) async throws {
        let uuid = try await properties(pool, "Pool")["UUID"] ?? .string("")
        try await perform(pool, "Pool", "Delete", ["confirm": uuid])
    }
}
