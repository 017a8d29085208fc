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
    let devices: DeviceWatch
    private let state = Locked(State())

    private struct State {
        /// Of the device that is mounted; nil while none is.
        var number: String?
        /// Whether the device has not been there since.
        var wasMissing = false
    }

    /// Why there can be no such pools here; empty when there can.
    static var absence: String { geteuid() == 0 ? "" : "only root may mount file systems" }

    /// What libvirt has, too: nothing on a volume store is a program, and no device node on it means anything.
    private static let defaultOptions = ["nodev", "nosuid", "noexec"]
    private static let mountDeadline = Duration.seconds(60)
    private static let makeDeadline = Duration.seconds(3600)
    private static let udevDeadline = Duration.seconds(20)

    /// - Throws: `invalidArguments` if the definition does not say what to mount where.
    init(_ definition: PoolDefinition, targetPath: String, blocking: Blocking, devices: DeviceWatch) throws(StorageError) {
        guard case .strings(let paths)? = definition.settings["source.devices"], let path = paths.first else {
            throw StorageError(.invalidArguments, "Pool \(definition.name) of type fs needs the setting “source.devices”; add it.")
        }
        pool = definition.name
        devicePath = path
        self.targetPath = targetPath
        format = definition.string("source.format") ?? "auto"
        options = if case .strings(let options)? = definition.settings["options.mount"] { options } else { [] }
        self.blocking = blocking
        self.devices = devices
    }

    // MARK: - Mounting

    func mount(_ progress: Progress) async throws(StorageError) {
        if try await blocking.run("mount pool \(pool)", { try entry().map(isDead) == true }) { try await unmount(progress) }
        let isMounted = try await blocking.run("mount pool \(pool)") {
            if try isOurs() { return true }
            try makeTarget()
            return false
        }
        if isMounted { return }
        progress.phase("mounting")
        var arguments = format == "auto" ? [] : ["-t", format]
        arguments += ["-o", (Self.defaultOptions + options).joined(separator: ","), "--", devicePath, targetPath]
        try await tool("mount", "mount \(devicePath) for pool \(pool)", failing: .unavailable)
            .run(arguments, deadline: Self.mountDeadline, progress)
        try await blocking.run("mount pool \(pool)") { try check() }
    }

    func unmount(_ progress: Progress) async throws(StorageError) {
        let entry = try await blocking.run("unmount pool \(pool)") { () throws -> MountTable.Entry? in
            guard let found = try self.entry(), try isDead(found) || isOurs() else { return nil }
            return found
        }
        if let entry {
            progress.phase("unmounting")
            // Of a device that is gone nothing can be written any more, so nobody needs to be waited for.
            try await tool("umount", "unmount \(targetPath) of pool \(pool)", failing: .busy)
                .run((isDead(entry) ? ["--lazy"] : []) + ["--", targetPath], deadline: Self.mountDeadline, progress)
        }
        state.withLock { $0 = State() }
    }

    /// Whether the device behind a mount is gone. A disk that is plugged in again is another device.
    private func isDead(_ entry: MountTable.Entry) -> Bool {
        // btrfs has a number of its own, and names one of its devices.
        let device = entry.type == "btrfs" ? entry.source : "/sys/dev/block/\(entry.device)"
        return (entry.type == "btrfs" || !entry.device.hasPrefix("0:")) && access(device, F_OK) != 0
    }

    /// Not where somebody has unmounted it while the device was there: that may have been meant.
    func mayReturn() async -> Bool {
        let answer = try? await blocking.run("look for pool \(pool)") {
            guard (try? BlockDevice(devicePath, of: pool)) != nil else {
                state.withLock { $0.wasMissing = true }
                return false
            }
            let (number, wasMissing) = state.withLock { ($0.number, $0.wasMissing) }
            return try number == nil || wasMissing || isOurs()
        }
        return answer ?? false
    }

    func changes() async -> AsyncStream<GroundChange> {
        let (changes, output) = AsyncStream.makeStream(of: GroundChange.self)
        let (state, path, pool) = (state, devicePath, pool)
        // Without udev's word the pool is looked for from time to time, as any other.
        let watch = try? await devices.add(path, on: blocking) { happening in
            switch happening {
            case .appeared, .changed, .everything: output.yield(.appeared)
            case .gone(let number):
                guard state.withLock({ $0.number }) == number.description else { return }
                output.yield(.lost("Device \(path) of pool \(pool) was removed; connect it again."))
            }
        }
        output.onTermination = { _ in withExtendedLifetime(watch) {} }
        return changes
    }

    func check() throws {
        if try isOurs() { return }
        throw StorageError(.unavailable, "The file system of pool \(pool) is not mounted at \(targetPath); stop and start the pool.")
    }

    /// Whether what is mounted at the target path is the device.
    ///
    /// - Throws: `busy` if it is something else; `unavailable` if there is no such device.
    private func isOurs() throws -> Bool {
        guard let entry = try entry() else {
            _ = try BlockDevice(devicePath, of: pool)
            return false
        }
        let device = try BlockDevice(devicePath, of: pool)
        // btrfs has a number of its own, and names one of its devices.
        let isDevice = entry.device == device.number || (try? BlockDevice(entry.source, of: pool).number) == device.number
        if isDevice, entry.root == "/" {
            state.withLock { $0.number = device.number }
            return true
        }
        throw StorageError(
            .busy, "\(targetPath) of pool \(pool) is where \(entry.source) is mounted; unmount it, or give the pool another target.path.")
    }

    private func entry() throws(Errno) -> MountTable.Entry? {
        // A link on the way to the target is the administrator's; the table has the place itself.
        let place = realpath(targetPath, nil).map { place in
            defer { free(place) }
            return String(cString: place)
        }
        return try MountTable.current().entry(at: place ?? targetPath)
    }

    private func makeTarget() throws(Errno) {
        var path = ""
        for part in targetPath.split(separator: "/") {
            path += "/" + part
            if mkdir(path, path == targetPath ? 0o711 : 0o755) < 0, errno != EEXIST { throw Errno.last }
        }
    }

    // MARK: - Making and removing

    func build(overwrite: Bool, _ progress: Progress) async throws(StorageError) {
        guard let maker = FilesystemMaker.all[format] else {
            let known = FilesystemMaker.all.keys.sorted().joined(separator: ", ")
            throw StorageError(
                .notSupported,
                "Pool \(pool) cannot be built with source.format \(format): it can be one of \(known); set it, or make it yourself.")
        }
        let action = "build pool \(pool) on \(devicePath)"
        // Somebody else's claim makes this fail; ours would make the maker fail, so it is not kept.
        try await blocking.run(action) { try claimable().close() }
        let found = try await signatures(action, progress)
        guard found.isEmpty || overwrite else {
            throw StorageError(
                .signatureFound,
                "Device \(devicePath) of pool \(pool) holds \(found.joined(separator: ", ")); if nobody needs it, build with option “overwrite”."
            )
        }
        let device = try await blocking.run(action) { try BlockDevice(devicePath, of: pool) }
        let number = Device.Number(major: device.major, minor: device.minor)
        let mark = try await devices.mark(on: blocking)
        try await make(device, with: maker, over: found, action, progress)
        progress.phase("publishing", cancellable: false)
        try await mark.settle(number, deadline: Self.udevDeadline, on: blocking)
        try await blocking.run(action) { try makeTarget() }
    }

    /// With the disk locked, so that nobody looks at what is half made.
    private func make(
        _ device: BlockDevice, with maker: FilesystemMaker, over found: [String], _ action: String, _ progress: Progress
    ) async throws(StorageError) {
        let lock = try await blocking.run(action) { try device.lockDisk() }
        defer { lock.close() }
        if !found.isEmpty {
            try await tool("wipefs", action, failing: .failed).run(
                ["--all", "--quiet", "--", devicePath], deadline: Self.mountDeadline, progress)
        }
        progress.phase("formatting")
        try await tool(maker.program, action, failing: .failed)
            .run(maker.arguments + [devicePath], deadline: Self.makeDeadline, progress)
    }

    func delete(_ progress: Progress) async throws(StorageError) {
        let action = "delete pool \(pool) on \(devicePath)"
        if try await signatures(action, progress).isEmpty { return try await removeTarget(action) }
        try await mount(progress)
        let entries: [String]
        do throws(StorageError) {
            entries = try await blocking.run(action) {
                try check()
                let directory = try Directory.open(targetPath)
                defer { directory.close() }
                return try directory.entries().map(\.name).filter { $0 != "lost+found" }
            }
        } catch {
            try? await unmount(progress)
            throw error
        }
        try await unmount(progress)
        guard entries.isEmpty else {
            throw StorageError(
                .busy,
                "The file system of pool \(pool) on \(devicePath) holds \(entries.count) \(entries.count == 1 ? "entry" : "entries"); delete or move what is in it first."
            )
        }
        try await blocking.run(action) { try claimable().close() }
        progress.phase("erasing", cancellable: false)
        try await tool("wipefs", action, failing: .failed).run(
            ["--all", "--quiet", "--", devicePath], deadline: Self.mountDeadline, progress)
        try await removeTarget(action)
    }

    private func removeTarget(_ action: String) async throws(StorageError) {
        try await blocking.run(action) {
            guard rmdir(targetPath) < 0, ![ENOENT, ENOTEMPTY, EEXIST, EBUSY].contains(errno) else { return }
            throw Errno.last
        }
    }

    /// On the lane.
    private func claimable() throws -> Descriptor {
        let device = try BlockDevice(devicePath, of: pool)
        do throws(Errno) { return try device.claim() } catch {
            guard error.code == EBUSY else { throw error }
            throw StorageError(
                .busy, "Device \(devicePath) of pool \(pool) is in use: mounted, or a part of something larger; free it first.")
        }
    }

    /// What libblkid finds on the device: file systems, partition tables, LVM, LUKS, swap.
    private func signatures(_ action: String, _ progress: Progress) async throws(StorageError) -> [String] {
        try await blocking.run(action) { _ = try BlockDevice(devicePath, of: pool) }
        let text = try await tool("wipefs", action, failing: .unavailable)
            .run(["--no-act", "--parsable", "--output", "TYPE,USAGE", "--", devicePath], deadline: Self.mountDeadline, progress)
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { String($0.prefix { $0 != "," }) }
    }

    private func tool(_ program: String, _ action: String, failing code: StorageError.Code) -> Tool {
        Tool(program: program, action: action, code: code)
    }
}
