// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc
import Testing

@testable import Backends

private let megabyte: UInt64 = 1 << 20

/// Disks that fail to write or to read, below pools of both kinds: what is said of a volume is true.
@Suite(.serialized, .inTheLab) struct FaultyDiskTests {
    @Test func `a disk that fails in the middle of a job fails that job, and nothing else`() async throws {
        try await MappedDisk.made { disk in
            try await Daemon.run { daemon in
                try await FileSystem.ext4.mounted(from: disk.node, at: place) {
                    let pool = try await daemon.startedPool("p", at: place)
                    try await self.fail(disk, under: pool, daemon)
                    try await disk.become(.well)
                    try await daemon.perform(pool, "Pool", "Stop")
                    try await Guest.run("umount", place)
                    try await Guest.run("mount", disk.node, place)
                    try await daemon.perform(pool, "Pool", "Start")
                    try await self.use(pool, daemon)
                    try await daemon.perform(pool, "Pool", "Stop")
                }
            }
        }
    }

    @Test func `a pool on a disk that failed comes back with the disk`() async throws {
        try await MappedDisk.made { disk in
            try await Daemon.run { daemon in
                let pool = try await daemon.startedPool(at: disk.node, "xfs")
                try await self.fail(disk, under: pool, daemon)
                try await disk.become(.well)
                try await daemon.perform(pool, "Pool", "Refresh")
                #expect(try await daemon.properties(pool, "Pool")["State"]?.text == "active")
                try await self.use(pool, daemon)
                try await daemon.perform(pool, "Pool", "Stop")
            }
        }
    }

    /// Has the disk fail while a volume is written, after another one was made.
    @LoopActor private func fail(_ disk: MappedDisk, under pool: ObjectPath, _ daemon: Daemon) async throws {
        _ = try await daemon.create(pool, "kept", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
        try await Guest.forgetCaches(of: place)
        let bystander = try await Bystander(daemon)
        try disk.disk.answer(after: 5)
        let (_, job) = try await daemon.create(pool, "lost", 200 * megabyte, ["allocation": .string("full")])
        try await daemon.wait(for: job) { ($0["BytesDone"]?.unsigned ?? 0) > megabyte }
        try await disk.become(.failing)
        try disk.disk.answer(after: 0)
        let ended = try await bystander.work(until: job)
        #expect(ended["State"]?.text == "failed" && ended["Error"]?.text == "org.cistern1.Error.Unavailable", "\(ended)")
        #expect((ended["BytesDone"]?.unsigned ?? .max) < 200 * megabyte)
        // What is in memory, and not to be written, could still be told of.
        _ = try? await Guest.run("sync", "--file-system", place)
        try Guest.forget()
        await expectError("Unavailable") { try await daemon.perform(pool, "Pool", "Refresh") }
        let properties = try await daemon.properties(pool, "Pool")
        #expect(["unavailable", "degraded"].contains(properties["State"]?.text), "\(properties)")
        #expect(properties["StateReason"]?.text?.isEmpty == false)
        #expect(try await daemon.volumes(of: pool) == ["kept"])
    }

    /// What was made is there, what was not is not, and the pool takes more.
    @LoopActor private func use(_ pool: ObjectPath, _ daemon: Daemon) async throws {
        #expect(try await daemon.volumes(of: pool) == ["kept"])
        #expect(Guest.entries(place).subtracting(["lost+found"]) == ["kept"])
        _ = try await daemon.create(pool, "again", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
        #expect(try await daemon.volumes(of: pool) == ["kept", "again"])
    }

    // MARK: - Truth

    @Test(arguments: FileSystem.allCases) func `volumes that were made while the disk began to fail are on it, or were told to have failed`(
        _ fileSystem: FileSystem
    ) async throws {
        try await MappedDisk.made { disk in
            try await Daemon.run { daemon in
                try await fileSystem.mounted(from: disk.node, at: place) {
                    let pool = try await daemon.startedPool("p", at: place)
                    let (made, failed) = try await self.makeVolumes(pool, daemon) { try await disk.become(.failingWrites) }
                    #expect(!made.isEmpty && !failed.isEmpty)
                    for error in failed { #expect((error as? BusError)?.name.hasPrefix("org.cistern1.Error.") == true, "\(error)") }
                    // Everything can still be read, but the kernel lets nobody write any more.
                    await #expect(throws: BusError.self) { try await daemon.perform(pool, "Pool", "Refresh") }
                    #expect(["degraded", "unavailable"].contains(try await daemon.properties(pool, "Pool")["State"]?.text))
                    #expect(try await daemon.volumes(of: pool) == made)
                    try await daemon.perform(pool, "Pool", "Stop")
                    try await Guest.run("umount", place)
                    try await disk.become(.well)
                    try await Guest.run("mount", disk.node, place)
                    try await daemon.perform(pool, "Pool", "Start")
                    // Of what was told to have failed, too, nothing is there by half.
                    let volumes = try await daemon.volumes(of: pool)
                    #expect(volumes.isSuperset(of: made))
                    for name in volumes { try await self.expectWhole(name) }
                    try await daemon.perform(pool, "Pool", "Stop")
                }
            }
        }
    }

    /// Makes volumes of all kinds, four at a time, until none can be made any more.
    ///
    /// - Parameter fault: comes when some are made, and others are on their way.
    /// - Returns: the names of those that were made, and why the others were not.
    @LoopActor private func makeVolumes(_ pool: ObjectPath, _ daemon: Daemon, _ fault: @escaping @LoopActor () async throws -> Void)
        async throws -> (made: Set<String>, failed: [any Error])
    {
        var made: Set<String> = []
        var failed: [any Error] = []
        for round in 0..<6 {
            let works = ["sparse", "falloc", "full", "qcow2"].map { kind in
                let name = "\(kind)\(round)"
                let options: [String: Variant] =
                    kind == "qcow2" ? ["format": .string(kind), "allocation": .string("full")] : ["allocation": .string(kind)]
                return Task { @LoopActor in
                    _ = try await daemon.create(pool, name, 2 * megabyte, options.merging(["wait": .bool(true)]) { $1 })
                    return name
                }
            }
            if round == 1 { try await fault() }
            for work in works {
                switch await work.result {
                case .success(let name): made.insert(name)
                case .failure(let error): failed.append(error)
                }
            }
            if failed.count > 4 { break }
        }
        return (made, failed)
    }

    /// - Parameter name: its kind, and a digit.
    @LoopActor private func expectWhole(_ name: String) async throws {
        let kind = name.dropLast()
        let path = place + "/" + name
        if kind == "qcow2" {
            #expect(try await Guest.run("qemu-img", "check", path).contains("No errors"), "\(name)")
        } else {
            #expect(Guest.read(path) == [UInt8](repeating: 0, count: Int(2 * megabyte)), "\(name)")
        }
        if kind != "sparse" { #expect(Guest.allocation(path) ?? 0 >= 2 * megabyte, "\(name)") }
    }

    @Test(arguments: FileSystem.allCases) func `what was lost when somebody else synced is not taken for synced`(_ fileSystem: FileSystem)
        async throws
    {
        try await MappedDisk.made { disk in
            try await fileSystem.mounted(from: disk.node, at: place) {
                let directory = try Directory.open(place)
                let file = try directory.makeNameless()
                try file.setSize(megabyte)
                try directory.link(file, as: "v")
                try await disk.become(.failingWrites)
                await #expect(throws: Guest.Failure.self) { try await Guest.run("sync", "--file-system", place) }
                #expect(throws: Errno.self) { try directory.sync() }
                #expect(throws: Errno.self) { try file.sync() }
                try await disk.become(.well)
            }
        }
    }

    @Test func `the list is true again when a disk that forgets what it was told is used anew`() async throws {
        try await MappedDisk.made { disk in
            try await Daemon.run { daemon in
                let pool = try await daemon.startedPool(at: disk.node, "ext4")
                _ = try await daemon.create(pool, "kept", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
                try await Guest.forgetCaches(of: place)
                try await disk.become(.forgetful)
                // Nobody can know; the kernel does not.
                _ = try await daemon.create(pool, "forgotten", megabyte, ["allocation": .string("full"), "wait": .bool(true)])
                try await daemon.perform(pool, "Pool", "Stop")
                try await disk.become(.well)
                try await daemon.perform(pool, "Pool", "Start")
                try await self.use(pool, daemon)
                try await daemon.perform(pool, "Pool", "Stop")
            }
        }
    }
}
