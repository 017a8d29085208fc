// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc

/// A disk behind device-mapper, which becomes faulty, and well again, while it is in use.
@LoopActor struct MappedDisk {
    /// How the disk answers.
    enum Behaviour: Sendable, Hashable {
        /// As it is.
        case well
        /// Reads and writes fail.
        case failing
        /// Writes fail; what was there can be read.
        case failingWrites
        /// Writes are answered, and forgotten.
        case forgetful
        /// Each read and write takes this long, in milliseconds.
        case slow(Int)
    }

    /// As in `/dev/mapper/faulty0`.
    let node: String
    private let name: String
    /// What is below.
    let disk: Disk

    /// Runs a test with such a disk, which is well at first, and gone afterwards.
    nonisolated static func made(_ test: @LoopActor (MappedDisk) async throws -> Void) async throws {
        try await Disk.plugged { disk in
            let mapped = try await make(over: disk)
            do {
                try await test(mapped)
                try await mapped.leave()
            } catch {
                try? await mapped.leave()
                throw error
            }
        }
    }

    private static func make(over disk: Disk) async throws -> MappedDisk {
        try await Guest.run("modprobe", "--all", "dm-flakey", "dm-delay")
        let name = "faulty\(disk.node.suffix(1))"
        let mapped = MappedDisk(node: "/dev/mapper/\(name)", name: name, disk: disk)
        try await Guest.run("dmsetup", "create", name, "--table", mapped.table(.well))
        return mapped
    }

    private init(node: String, name: String, disk: Disk) {
        self.node = node
        self.name = name
        self.disk = disk
    }

    /// From now on it answers like this. What has reached the disk ends as it would have; the rest waits meanwhile.
    func become(_ behaviour: Behaviour) async throws {
        try await Guest.run("dmsetup", "load", name, "--table", table(behaviour))
        try await answerAgain()
    }

    /// From now on nothing is answered, as by a disk whose path is dead.
    func stopAnswering() async throws { try await Guest.run("dmsetup", "suspend", "--noflush", "--nolockfs", name) }

    /// Answers what waits, and whatever comes. udev has a look at it some time later.
    func answerAgain() async throws { try await Guest.run("dmsetup", "resume", "--noudevsync", "--noflush", "--nolockfs", name) }

    private func table(_ behaviour: Behaviour) -> String {
        let sectors = Disk.size / 512
        return switch behaviour {
        case .well: "0 \(sectors) linear \(disk.node) 0"
        case .failing: "0 \(sectors) error"
        // Up for no second, down for an hour: again and again.
        case .failingWrites: "0 \(sectors) flakey \(disk.node) 0 0 3600 1 error_writes"
        case .forgetful: "0 \(sectors) flakey \(disk.node) 0 0 3600 1 drop_writes"
        case .slow(let milliseconds): "0 \(sectors) delay \(disk.node) 0 \(milliseconds)"
        }
    }

    private func leave() async throws {
        try await answerAgain()
        try await Guest.run("dmsetup", "remove", "--retry", name)
    }
}
