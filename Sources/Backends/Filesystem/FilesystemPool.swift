// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Udev

/// What is special about a pool of type `fs`: a whole file system on one device, mounted at the pool's target path. The volumes in it are
/// a directory's.
///
/// mount(8), umount(8), mkfs and wipefs(8) do the work, each in a process of its own: a device that does not answer holds up them, and
/// not the service.
struct FilesystemPool: Ground {
    let pool: String
    let devicePath: String
    let targetPath: String
    /// One of ``PoolModel/formats``; `auto` lets the kernel find out.
    let format: String
    let options: [String]
    let blocking: Blocking
    let observers: Observers
    let state = Locked(State())

    /// Shared by all pools.
    struct Observers: Sendable {
        let devices: DeviceWatch
        let mounts: MountWatch
    }

    struct State {
        /// Of the device that is mounted; nil while none is.
        var number: Device.Number?
        /// Whether the device has not been there since.
        var wasMissing = false
    }

    /// Why there can be no such pools here; empty when there can.
    static var absence: String { geteuid() == 0 ? "" : "only root may mount file systems" }

    /// What libvirt has, too: nothing on a volume store is a program, and no device node on it means anything.
    private static let defaultOptions = ["nodev", "nosuid", "noexec"]
    private static let deadline = Duration.seconds(60)

    /// - Throws: `invalidArguments` if the definition does not say what to mount where.
    init(_ definition: PoolDefinition, targetPath: String, blocking: Blocking, observers: Observers) throws(StorageError) {
        guard case .strings(let paths)? = definition.settings["source.devices"], let path = paths.first else {
            throw StorageError(.invalidArguments, "Pool \(definition.name) of type fs needs the setting “source.devices”; add it.")
        }
        pool = definition.name
        devicePath = path
        self.targetPath = targetPath
        format = definition.string("source.format") ?? "auto"
        options = if case .strings(let options)? = definition.settings["options.mount"] { options } else { [] }
        self.blocking = blocking
        self.observers = observers
    }

    func mount(_ progress: Progress) async throws(StorageError) {
        if try await blocking.run("mount pool \(pool)", { try entry().map(isDead) == true }) { try await unmount(lazy: true, progress) }
        let isMounted = try await blocking.run("mount pool \(pool)") {
            if try isOurs() { return true }
            try makeTarget()
            return false
        }
        if isMounted { return }
        progress.phase("mounting")
        var arguments = format == "auto" ? [] : ["-t", format]
        arguments += ["-o", (Self.defaultOptions + options).joined(separator: ","), "--", devicePath, targetPath]
        try await Tool(program: "mount", package: "mount").run(
            arguments, for: "mount \(devicePath) for pool \(pool)", failing: .unavailable, deadline: Self.deadline, progress)
        do throws(StorageError) { try await blocking.run("mount pool \(pool)") { try checkMounted() } } catch {
            try? await unmount(lazy: false, Progress.ignored())
            throw error
        }
    }

    func unmount(lazy: Bool, _ progress: Progress) async throws(StorageError) {
        let entry = try await blocking.run("unmount pool \(pool)") { () throws -> MountTable.Entry? in
            guard let found = try self.entry(), try isDead(found) || isOurs() else { return nil }
            return found
        }
        if let entry {
            progress.phase("unmounting")
            // Of a device that is gone nothing can be written any more, so nobody needs to be waited for.
            try await Tool(program: "umount", package: "mount").run(
                (lazy || isDead(entry) ? ["--lazy"] : []) + ["--", targetPath], for: "unmount \(targetPath) of pool \(pool)",
                failing: .busy, deadline: Self.deadline, progress)
        }
        state.withLock { $0 = State() }
    }

    /// On the lane: refuses what was mounted unless the whole machine sees it. A service that is kept from that has a name space of its own,
    /// where nobody but it would find the volumes.
    private func checkMounted() throws {
        try check()
        // Where process 1 may not be looked at, nobody can tell.
        guard let text = KernelText.read("/proc/1/mountinfo"), let own = try entry() else { return }
        let seen = MountTable(text).entry(at: own.point)
        guard seen?.device != own.device else { return }
        throw StorageError(
            .unavailable,
            "What is mounted for pool \(pool) would be seen by nobody but the service: it runs with mounts of its own; take PrivateMounts=, PrivateTmp=, ProtectSystem= and the like out of its unit."
        )
    }

    /// On the lane: refuses to take the directory for the pool's if it is only the place where the file system would be mounted.
    func check() throws {
        if try isOurs() { return }
        throw StorageError(.unavailable, "The file system of pool \(pool) is not mounted at \(targetPath); stop and start the pool.")
    }

    /// Whether what is mounted at the target path is the device.
    ///
    /// - Throws: `busy` if it is something else; `unavailable` if there is no such device.
    func isOurs() throws -> Bool {
        let device = try self.device()
        guard let entry = try entry() else { return false }
        // btrfs has a number of its own, and names one of its devices.
        let isDevice =
            entry.device == device.number.description || (try? Device.required(at: entry.source, of: pool).number) == device.number
        if isDevice, entry.root == "/" {
            state.withLock { $0.number = device.number }
            return true
        }
        throw StorageError(
            .busy, "\(targetPath) of pool \(pool) is where \(entry.source) is mounted; unmount it, or give the pool another target.path.")
    }

    /// On the lane: the device that the definition names now.
    ///
    /// - Throws: `unavailable` if there is none.
    func device() throws -> Device { try Device.required(at: devicePath, of: pool) }

    /// What is mounted at the target path.
    private func entry() throws(Errno) -> MountTable.Entry? {
        // A link on the way to the target is the administrator's; the table has the place itself.
        let place = realpath(targetPath, nil).map { place in
            defer { free(place) }
            return String(cString: place)
        }
        return try MountTable.current().entry(at: place ?? targetPath)
    }

    /// Whether the device behind a mount is gone. A disk that is plugged in again is another device.
    private func isDead(_ entry: MountTable.Entry) -> Bool {
        // btrfs has a number of its own, and names one of its devices.
        let device = entry.type == "btrfs" ? entry.source : "/sys/dev/block/\(entry.device)"
        return (entry.type == "btrfs" || !entry.device.hasPrefix("0:")) && access(device, F_OK) != 0
    }

    /// On the lane: where the file system is to be mounted. Others may look for what is in it, not list it.
    func makeTarget() throws(Errno) { try Directory.make(targetPath, mode: 0o711) }
}
