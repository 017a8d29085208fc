// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc
import Udev

/// Making and removing the file system. Until it is done the device is locked, so that nobody looks at what is half made and no other
/// device gets its name.
extension FilesystemPool {
    private static let lookDeadline = Duration.seconds(60)
    private static let makeDeadline = Duration.seconds(3600)
    private static let udevDeadline = Duration.seconds(20)

    func build(overwrite: Bool, _ progress: Progress) async throws(StorageError) {
        guard let maker = FilesystemMaker.all[format] else {
            let known = FilesystemMaker.all.keys.sorted().joined(separator: ", ")
            throw StorageError(
                .notSupported,
                "Pool \(pool) cannot be built with source.format \(format): it can be one of \(known); set it, or make it yourself.")
        }
        let action = "build pool \(pool) on \(devicePath)"
        let (device, mark) = try await locked(action) { (device) async throws(StorageError) in
            let found = try await signatures(on: device, action, progress)
            guard found.isEmpty || overwrite else {
                throw StorageError(
                    .signatureFound,
                    "Device \(devicePath) of pool \(pool) holds \(found.joined(separator: ", ")); if nobody needs it, build with option “overwrite”."
                )
            }
            let mark = try await observers.devices.mark(on: blocking)
            if !found.isEmpty { try await erase(device, action, progress) }
            progress.phase("formatting")
            try await maker.tool.run(
                maker.arguments + [device.node], for: action, failing: .failed, deadline: Self.makeDeadline, progress)
            return (device, mark)
        }
        progress.phase("publishing", cancellable: false)
        try await mark.settle(device.number, deadline: Self.udevDeadline, on: blocking)
        try await blocking.run(action) { try makeTarget() }
    }

    func delete(_ progress: Progress) async throws(StorageError) {
        let action = "delete pool \(pool) on \(devicePath)"
        let device = try await blocking.run(action) { try self.device() }
        if try await signatures(on: device, action, progress).isEmpty { return try await removeTarget(action) }
        let count = try await countEntries(action, progress)
        guard count == 0 else {
            throw StorageError(
                .busy,
                "The file system of pool \(pool) on \(devicePath) holds \(count) \(count == 1 ? "entry" : "entries"); delete or move what is in it first."
            )
        }
        progress.phase("erasing", cancellable: false)
        try await locked(action) { (device) async throws(StorageError) in try await erase(device, action, progress) }
        try await removeTarget(action)
    }

    /// How many entries the file system holds, beside what it was made with. It is mounted meanwhile.
    private func countEntries(_ action: String, _ progress: Progress) async throws(StorageError) -> Int {
        try await mount(progress)
        let count: Int
        do throws(StorageError) {
            count = try await blocking.run(action) {
                try check()
                return try Directory.open(targetPath).entries().count { $0.name != FilesystemKind.ownDirectory }
            }
        } catch {
            try? await unmount(lazy: false, progress)
            throw error
        }
        try await unmount(lazy: false, progress)
        return count
    }

    private func removeTarget(_ action: String) async throws(StorageError) {
        try await blocking.run(action) {
            guard rmdir(targetPath) < 0, ![ENOENT, ENOTEMPTY, EEXIST, EBUSY].contains(errno) else { return }
            throw Errno.last
        }
    }

    /// Does something to the device that nobody else has, while nobody looks at it.
    ///
    /// - Throws: `busy` if somebody has it; `unavailable` if it is not there.
    private func locked<T: Sendable>(
        _ action: String, _ body: (Device) async throws(StorageError) -> T
    ) async throws(StorageError) -> T {
        let device = try await blocking.run(action) { try self.device() }
        let lock = try await lock(device, action)
        defer { lock.close() }
        try await blocking.run(action) {
            guard try self.device().number == device.number else {
                throw StorageError(.unavailable, "Cannot \(action): another device has come in its place; try again.")
            }
            // Somebody else's claim makes this fail; ours would make the tools fail, so it is not kept.
            do throws(Errno) { try device.claim().close() } catch {
                guard error.code == EBUSY else { throw error }
                throw StorageError(
                    .busy, "Device \(devicePath) of pool \(pool) is in use: mounted, or a part of something larger; free it first.")
            }
        }
        return try await body(device)
    }

    /// udev has it locked for a moment after every event.
    private func lock(_ device: Device, _ action: String) async throws(StorageError) -> Descriptor {
        let end = ContinuousClock.now + Self.udevDeadline
        while true {
            let lock = try await blocking.run(action) { () throws -> Descriptor? in
                do { return try device.lockDisk() } catch let error as Errno where error.code == EWOULDBLOCK { return nil }
            }
            if let lock { return lock }
            guard .now < end else {
                throw StorageError(.busy, "Cannot \(action): another program has locked the disk; wait until it is done with it.")
            }
            try await nap()
        }
    }

    private func nap() async throws(StorageError) {
        do { try await blocking.lane.sleep(for: .milliseconds(50)) } catch {
            throw StorageError(.cancelled, "The operation was cancelled.")
        }
    }

    /// What libblkid finds on the device: file systems, partition tables, LVM, LUKS, swap.
    private func signatures(on device: Device, _ action: String, _ progress: Progress) async throws(StorageError) -> [String] {
        let text = try await wipefs(
            ["--no-act", "--parsable", "--output", "TYPE,USAGE"], on: device, action, failing: .unavailable, progress)
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { String($0.prefix { $0 != "," }) }
    }

    private func erase(_ device: Device, _ action: String, _ progress: Progress) async throws(StorageError) {
        try await wipefs(["--all", "--quiet"], on: device, action, failing: .failed, progress)
    }

    @discardableResult
    private func wipefs(
        _ arguments: [String], on device: Device, _ action: String, failing code: StorageError.Code, _ progress: Progress
    ) async throws(StorageError) -> String {
        try await Tool(program: "wipefs", package: "util-linux").run(
            arguments + ["--", device.node], for: action, failing: code, deadline: Self.lookDeadline, progress)
    }
}
