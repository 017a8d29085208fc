// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// The service on a disk that loses power: its definitions, its state and its pools are there.
@LoopActor struct Machine {
    static let disk = "/disk"
    /// The pool whose volumes are made and deleted; it starts with the machine.
    static let pool = "data"
    static let directory = disk + "/data"
    /// Pools that are defined and undefined.
    static let others = (1...6).map { "p\($0)" }
    private static let configuration = disk + "/etc"
    private static let state = disk + "/state"
    /// The file system's own blocks for a file, in bytes.
    private static let slack: UInt64 = 64 << 10
    private static let jobsPath: ObjectPath = "/org/cistern1/jobs"

    let daemon: Daemon

    /// The directories that a pool is defined with by turns; their definitions are not of one length.
    static func targets(of pool: String) -> [String] {
        ["a", String(repeating: "b", count: 100), String(repeating: "c", count: 200)].map { "\(disk)/elsewhere/\(pool)-\($0)" }
    }

    /// Mounts the disk where the service looks for what it has.
    static func mount() async throws {
        // Nothing is written that nobody asked for: what is not synced is lost.
        let options = "commit=300,noauto_da_alloc"
        try await Guest.run("mount", "-t", "ext4", "-o", options + ",X-mount.mkdir", "/dev/ubda", disk)
        let made = [configuration, state, directory, disk + "/elsewhere"] + others.flatMap(targets)
        for path in made where mkdir(path, 0o755) != 0 && errno != EEXIST { throw Guest.Failure("cannot make \(path): \(errno)") }
        sync()
        try await Guest.run("mkdir", "-p", "/var/lib")
        for (path, target) in [("/etc/cistern", configuration), ("/var/lib/cistern", state)] where symlink(target, path) != 0 {
            throw Guest.Failure("cannot make \(path): \(errno)")
        }
    }

    // MARK: - What is there

    /// Unfinished files of the service.
    func leftovers() -> [String] {
        ["etc", "etc/pools", "etc/autostart", "state", "state/jobs", "data"].flatMap { folder in
            Guest.entries("\(Self.disk)/\(folder)").filter { $0.hasPrefix(".cistern-") }.map { "\(folder)/\($0)" }
        }.sorted()
    }

    /// What is true of definitions.
    ///
    /// - Throws: ``Guest/Failure`` if the service does not have what is on the disk.
    func definitions() async throws -> Facts {
        let suffix = ".xml"
        let files = Guest.entries(Self.configuration + "/pools").map { $0.hasSuffix(suffix) ? String($0.dropLast(suffix.count)) : $0 }
        let links = Guest.entries(Self.configuration + "/autostart").map { String($0.dropLast(suffix.count)) }
        var found: Facts = [:]
        for pool in try await managed("/org/cistern1/pools", "Pool") {
            let name = pool["Name"]?.text ?? ""
            found[Facts.definition(name)] = .definition(target: pool["TargetPath"]?.text ?? "")
            if pool["Autostart"]?.bool == true { found[Facts.autostart(name)] = .autostart }
        }
        let onDisk = Set(files.map { Facts.definition($0) } + links.map { Facts.autostart($0) })
        guard onDisk == Set(found.keys) else {
            throw Guest.Failure("on the disk are \(onDisk.sorted()), the service has \(found.keys.sorted())")
        }
        return found
    }

    /// What is true of volumes, when their pool is active.
    ///
    /// - Throws: ``Guest/Failure`` if the service does not have what is on the disk, or not as it is.
    func volumes() async throws -> Facts {
        var found: Facts = [:]
        for volume in try await managed(.encode("/org/cistern1/volumes", Self.pool), "Volume") {
            let name = volume["Name"]?.text ?? ""
            let format = volume["Format"]?.text ?? ""
            let capacity = volume["Capacity"]?.unsigned ?? 0
            var status = stat()
            guard lstat(path(name), &status) == 0, volume["State"]?.text == "ready" else {
                throw Guest.Failure("\(name) is no volume: \(volume)")
            }
            var reserved = UInt64(status.st_blocks) * 512
            if format != "raw" {
                reserved = 0
            } else if status.st_size != Int(capacity) || reserved > capacity + Self.slack {
                throw Guest.Failure("\(name) has \(status.st_size) bytes, \(reserved) on the disk, and is listed as \(volume)")
            }
            found[Facts.volume(name)] = .volume(format: format, capacity: capacity, reserved: reserved)
        }
        let onDisk = Set(Guest.entries(Self.directory).map { Facts.volume($0) })
        guard onDisk == Set(found.keys) else {
            throw Guest.Failure("on the disk are \(onDisk.sorted()), listed are \(found.keys.sorted())")
        }
        return found
    }

    /// The jobs that there are now, by number.
    func jobs() async throws -> [UInt64: (state: String, error: String)] {
        let all = try await daemon.client.call(
            Daemon.name, Self.jobsPath, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
            returning: [ObjectPath: [String: [String: Variant]]].self)
        var found: [UInt64: (state: String, error: String)] = [:]
        for (path, interfaces) in all {
            guard let job = interfaces["org.cistern1.Job"] else { continue }
            found[Self.number(path)] = (job["State"]?.text ?? "", job["Error"]?.text ?? "")
        }
        return found
    }

    func path(_ volume: String) -> String { Self.directory + "/" + volume }
    func object(_ pool: String) -> ObjectPath { .encode("/org/cistern1/pools", pool) }
    func volume(_ name: String) -> ObjectPath { .encode(.encode("/org/cistern1/volumes", Self.pool), name) }
    static func number(_ job: ObjectPath) -> UInt64 { ObjectPath.decode(job, below: jobsPath).flatMap { UInt64($0) } ?? 0 }

    private func managed(_ path: ObjectPath, _ interface: String) async throws -> [[String: Variant]] {
        try await daemon.client.call(
            Daemon.name, path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
            returning: [ObjectPath: [String: [String: Variant]]].self
        ).values.compactMap { $0["org.cistern1." + interface] }
    }

    /// Returns when a job has ended well.
    ///
    /// - Throws: the error with which it failed, or that there is no such job.
    func wait(for job: UInt64) async throws {
        _ = try await daemon.call(
            .encode(Self.jobsPath, String(job)), "Job", "Wait", [String: Variant](), returning: [String: Variant].self)
    }
}
