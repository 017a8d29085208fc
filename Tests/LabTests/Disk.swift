// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc

/// A SCSI disk that can be plugged in and pulled out: memory, behind the kernel's whole SCSI and block layers, and a real udevd.
///
/// Its contents stay in memory for the disk that is plugged in next.
@LoopActor struct Disk {
    /// Bytes; xfs wants 300 MiB at least.
    static let size: UInt64 = 320 << 20
    private static let driver = "/sys/bus/pseudo/drivers/scsi_debug"

    /// As in `/dev/sda`.
    let node: String
    /// What the disk is called wherever the kernel puts it: `/dev/lab/0:0:0:0`.
    let link: String
    private let name: String

    /// Runs a test with a disk, which is gone afterwards.
    nonisolated static func plugged(_ test: @LoopActor (Disk) async throws -> Void) async throws {
        Loop.shared.startThread()
        try await pluggedOnLoop(test)
    }

    private static func pluggedOnLoop(_ test: @LoopActor (Disk) async throws -> Void) async throws {
        if access(driver, F_OK) != 0 {
            try await Guest.run("modprobe", "sd_mod")
            try await Guest.run("modprobe", "scsi_debug", "add_host=0", "per_host_store=1", "delay=0", "dev_size_mb=\(size >> 20)")
        }
        let disk = try await plug()
        do {
            try await test(disk)
            try await disk.leave()
        } catch {
            try? await disk.leave()
            throw error
        }
    }

    /// Adds a host with one disk, and waits until udev is done with it.
    private static func plug() async throws -> Disk {
        let before = Guest.entries("/sys/class/scsi_host")
        try Guest.write("1", to: driver + "/add_host")
        let new = Guest.entries("/sys/class/scsi_host").subtracting(before)
        guard let host = new.first, new.count == 1 else { throw Guest.Failure("scsi_debug made the hosts \(new)") }
        // A rule of the lab's calls disks by their address, too.
        let link = "/dev/lab/\(host.dropFirst("host".count)):0:0:0"
        try await Guest.run("udevadm", "wait", "--timeout=20", "--initialized=yes", link)
        return Disk(node: try await Guest.run("readlink", "-f", link), link: link)
    }

    private init(node: String, link: String) {
        self.node = node
        self.link = link
        name = String(node.dropFirst("/dev/".count))
    }

    /// From now on each command takes this long, in hundredths of a second, so that a test can come in between. Of all disks.
    func answer(after hundredths: Int) throws { try Guest.write("\(hundredths)", to: Self.driver + "/delay") }

    /// From now on the eight sectors from this one on cannot be read. Of all disks.
    func lose(sector: UInt64) throws {
        try Guest.write("\(sector)", to: "/sys/module/scsi_debug/parameters/medium_error_start")
        try Guest.write("8", to: "/sys/module/scsi_debug/parameters/medium_error_count")
        try Guest.write("2", to: Self.driver + "/opts")
    }

    /// Everything can be read again.
    func loseNothing() throws { try Guest.write("0", to: Self.driver + "/opts") }

    /// Has the kernel tell udevd that the disk changed. It did not.
    func change() throws { try Guest.write("change", to: "/sys/block/\(name)/uevent") }

    /// Pulls the disk out, whatever is going on with it. Returns when the kernel has let go of it.
    func pull() async throws {
        try await Guest.run("sh", "-c", "echo 1 >/sys/block/\(name)/device/delete")
    }

    /// Plugs it in again with what is on it; returns at once.
    func plugAgain() throws {
        let host = link.split(separator: "/").last?.split(separator: ":").first ?? ""
        try Guest.write("- - -", to: "/sys/class/scsi_host/host\(host)/scan")
    }

    /// Hosts go in the order they came in, last first.
    private func leave() async throws {
        try answer(after: 0)
        try loseNothing()
        try Guest.write("-1", to: Self.driver + "/add_host")
        try await Guest.run("udevadm", "wait", "--timeout=20", "--removed", node)
    }
}

/// What a file system can be made with; all three are in the kernel of the lab.
enum FileSystem: String, CaseIterable, Sendable {
    case ext4, xfs, btrfs

    /// Whatever is on the disk, and without a promise to the disk that it is not needed any more, which takes time.
    private var options: [String] {
        switch self {
        case .ext4: ["-F", "-E", "nodiscard"]
        case .xfs, .btrfs: ["-f", "-K"]
        }
    }

    /// Makes this file system on the whole disk and mounts it there for the time of a test, whatever was on the disk.
    @LoopActor func mounted<T: Sendable>(from disk: Disk, at directory: String, _ body: @LoopActor () async throws -> T) async throws -> T {
        try await mounted(from: disk.node, at: directory, body)
    }

    @LoopActor func mounted<T: Sendable>(from node: String, at directory: String, _ body: @LoopActor () async throws -> T) async throws -> T
    {
        try await Guest.run("mkfs.\(rawValue)", ["-q"] + options + [node])
        mkdir(directory, 0o755)
        try await Guest.run("mount", node, directory)
        do {
            let result = try await body()
            try await Guest.run("umount", directory)
            return result
        } catch {
            _ = try? await Guest.run("umount", "--lazy", directory)
            throw error
        }
    }
}
