// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc
import Images

extension DirectoryPool {
    /// How long qemu-img may take when it writes next to nothing.
    private static let shortDeadline = Duration.seconds(60)

    /// How long it may take when it writes so much: a mebibyte a second is slower than any disk.
    private static func deadline(writing bytes: UInt64) -> Duration { shortDeadline + .seconds(Int64(clamping: bytes >> 20)) }

    private static let secret = "passphrase"

    public func check(_ request: VolumeRequest) throws(StorageError) {
        guard request.format != "raw" else {
            if request.layout != ImageLayout() || request.backing != nil || request.passphrase != nil {
                throw StorageError(
                    .invalidArguments,
                    "Volume \(request.name): a raw volume has no layout, backing file or passphrase; leave them out or choose another format."
                )
            }
            return
        }
        guard let format = ImageFormat.all[request.format] else { return }
        try format.check(request)
        if !ImageTool.absence.isEmpty {
            throw StorageError(.notSupported, "Volume \(request.name) of format \(request.format) cannot be made: \(ImageTool.absence).")
        }
    }

    /// Has the image written into the draft's file.
    func makeImage(_ file: File, _ request: VolumeRequest, _ progress: Progress) async throws(StorageError) {
        guard let format = ImageFormat.all[request.format] else { return }
        progress.phase("writing")
        var arguments = ["create", "-q", "-f", request.format]
        if let backing = request.backing { arguments += ["-u", "-b", backing.path, "-F", ImageFormat.qemuName(of: backing.format)] }
        let passphrase = try await secretFile(request)
        if let passphrase {
            arguments += ["--object", "secret,id=\(Self.secret),file=\(ImageTool.path(passphrase))"]
        }
        let options = format.options(request, secret: Self.secret)
        if !options.isEmpty { arguments += ["-o", options] }
        let written = request.allocation == .full || request.allocation == .falloc ? request.capacity : 0
        if written > 0 { progress.total(written) }
        let measuring = written > 0 ? follow(file, upTo: written, progress) : nil
        defer {
            measuring?.cancel()
            passphrase?.close()
        }
        try await ImageTool(action: action("create", request.name)).run(
            arguments + [ImageTool.path(file), String(request.capacity)], deadline: Self.deadline(writing: written), progress)
        if format.reservesAfterwards(request) { try await reserveAll(of: file, request, progress) }
        if request.format == "vmdk" { try await nameExtent(of: file, request.name) }
        progress.phase("syncing")
        try await blocking.runBulk(self.action("sync", request.name)) { try file.sync() }
    }

    private func secretFile(_ request: VolumeRequest) async throws(StorageError) -> MemoryFile? {
        guard let bytes = request.passphrase?.bytes else { return nil }
        return try await blocking.run(self.action("create", request.name)) { try MemoryFile(bytes: bytes) }
    }

    private func reserveAll(of file: File, _ request: VolumeRequest, _ progress: Progress) async throws(StorageError) {
        let size = try await blocking.run(self.action("create", request.name)) { try file.status().size }
        let filler = SpaceFiller(blocking: blocking, file: file, action: action("allocate", request.name), company: company)
        guard try await filler.reserve(0..<size, growing: false, progress) else {
            throw StorageError(
                .notSupported,
                "Volume \(request.name): the file system of pool \(definition.name) cannot reserve space; choose allocation “sparse”.")
        }
    }

    /// qemu-img does not tell how far it is; how much the file occupies does.
    private func follow(_ file: File, upTo total: UInt64, _ progress: Progress) -> Task<Void, Never> {
        Task { [blocking] in
            var done: UInt64 = 0
            while !Task.isCancelled {
                try? await blocking.lane.sleep(for: .milliseconds(250))
                guard let now = try? await blocking.run("measure", { try file.status().allocation }) else { return }
                let reached = min(max(now, done), total)
                progress.advance(reached - done)
                done = reached
            }
        }
    }

    /// A VMDK names its own file in its descriptor (Virtual Disk Format 5.0, "The Extent Description"), and qemu-img knew it by the
    /// number of a descriptor of ours.
    private func nameExtent(of file: File, _ name: String) async throws(StorageError) {
        if name.contains("\"") { return }
        try await blocking.run(self.action("create", name)) {
            // The header's bytes 28 to 43: where the embedded descriptor is, and how long, in sectors.
            let header = try file.read(at: 0, count: 512)
            func number(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(header[offset + $1]) << (8 * UInt64($1)) } }
            guard header.count == 512, number(36) > 0, number(36) <= 128, number(28) < 1 << 32 else { return }
            var text = try file.read(at: number(28) * 512, count: Int(number(36)) * 512)
            let size = text.count
            let own = Array("\"\(file.raw)\"".utf8)
            guard let range = text.place(of: own) else { return }
            text.replaceSubrange(range, with: Array("\"\(name)\"".utf8))
            // After the text there are zeros to the end of its room.
            guard text.count <= size || text[size...].allSatisfy({ $0 == 0 }) else { return }
            text = Array(text.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - text.count))
            try file.write(text, at: number(28) * 512)
        }
    }

    // MARK: - Another size

    public func check(resizing volume: Volume, to capacity: UInt64, allocate: Bool) throws(StorageError) {
        if volume.format == "raw" { return }
        guard ImageFormat.all[volume.format]?.isResizable == true else {
            throw StorageError(
                .notSupported,
                "Volume \(volume.name) in pool \(definition.name) has format \(volume.format), whose size cannot be changed; copy it into another volume."
            )
        }
        if allocate, volume.format != "qcow2" {
            throw StorageError(
                .notSupported,
                "Volume \(volume.name): space cannot be reserved in an image of format \(volume.format); leave “allocate” out.")
        }
    }

    /// Changes the size of an image that nobody has open.
    func resizeImage(
        _ file: File, _ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress
    ) async throws(StorageError) {
        progress.phase("resizing")
        var arguments = ["resize", "-q", "-f", volume.format]
        if allowShrink { arguments.append("--shrink") }
        if allocate, capacity > volume.capacity { arguments.append("--preallocation=falloc") }
        let grown = allocate && capacity > volume.capacity ? capacity - volume.capacity : 0
        try await ImageTool(action: action("resize", volume.name)).run(
            arguments + [ImageTool.path(file), String(capacity)], deadline: Self.deadline(writing: grown), progress)
    }
}
