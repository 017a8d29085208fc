// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// `/org/cistern1/volumes/POOL/VOLUME` as it was last announced.
@LoopActor struct VolumeObject: Sendable {
    let face: Face
    let pool: Pool
    let volume: Volume

    init(face: Face, pool: Pool, volume: Volume) {
        self.face = face
        self.pool = pool
        self.volume = volume
    }

    var poolPath: ObjectPath { Paths.pool(pool.name) }

    func delete(_ options: Options) async throws -> ObjectPath {
        let job = try await pool.deleteVolume(volume.name, key: options.string("key"), by: try await face.caller())
        return try await face.answer(job, options)
    }

    func resize(_ capacity: UInt64, _ options: Options) async throws -> ObjectPath {
        let job = try await pool.resizeVolume(
            volume.name, to: capacity, allowShrink: options.bool("allow-shrink") ?? false, allocate: options.bool("allocate") ?? false,
            key: options.string("key"), by: try await face.caller())
        return try await face.answer(job, options)
    }

    func rename(_ name: String, _ options: Options) async throws -> ObjectPath {
        try await pool.renameVolume(volume.name, to: name, key: options.string("key"))
        await face.catchUp()
        return Paths.volume(name, in: pool.name)
    }

    func setPermissions(_ given: [String: Variant], _ options: Options) async throws {
        var permissions = Permissions()
        for (key, value) in given {
            guard let number = value.unsigned.flatMap({ UInt32(exactly: $0) }) else {
                throw StorageError(.invalidArguments, "Permission “\(key)” must be a number (D-Bus type u); \(value) was given.")
            }
            switch key {
            case "mode": permissions.mode = number
            case "owner": permissions.owner = number
            case "group": permissions.group = number
            default: throw StorageError(.invalidArguments, "There is no permission “\(key)”; there are mode, owner, group.")
            }
        }
        try await pool.setPermissions(volume.name, permissions, key: options.string("key"))
        await face.catchUp()
    }

    func open(_ mode: String, _ options: Options) async throws -> UnixDescriptor {
        guard ["r", "w", "rw"].contains(mode) else {
            throw StorageError(.invalidArguments, "There is no mode “\(mode)” to open volume \(volume.name) in; choose r, w or rw.")
        }
        let (read, write) = (mode.contains("r"), mode.contains("w"))
        if read { try await face.require(.volumeReadData, about: self) }
        if write { try await face.require(.volumeWriteData, about: self) }
        let descriptor = try await pool.openVolume(volume.name, read: read, write: write, key: options.string("key"))
        return UnixDescriptor(adopting: descriptor)
    }

    func getXML(_ options: Options) throws -> String {
        try checkKey(options)
        return volume.xml(compatible: options.bool("compatible") ?? false)
    }

    // MARK: - What no pool type of this version can do: refused with the reason that Capabilities gives

    func wipe(_ algorithm: String, _ options: Options) async throws -> ObjectPath { try await refuse(.volumeWipe) }

    func rebase(_ backing: ObjectPath, _ options: Options) async throws -> ObjectPath { try await refuse(.volumeRebase) }

    func upload(_ source: UnixDescriptor, _ offset: UInt64, _ length: UInt64, _ options: Options) async throws -> ObjectPath {
        try await refuse(.volumeUpload)
    }

    func download(_ target: UnixDescriptor, _ offset: UInt64, _ length: UInt64, _ options: Options) async throws -> ObjectPath {
        try await refuse(.volumeDownload)
    }

    func setMetadata(_ metadata: [String: String], _ options: Options) async throws {
        _ = try await refuse(.volumeSetMetadata)
    }

    func getHolders(_ options: Options) throws -> [[String: Variant]] {
        throw StorageError(.notSupported, "Holders of volume \(volume.name) cannot be listed yet; an operation that is refused names them.")
    }

    private func refuse(_ operation: Operation) async throws -> ObjectPath {
        try await pool.requireCapability(operation)
        throw StorageError(.notSupported, "\(operation.rawValue) is not possible on volume \(volume.name) yet.")
    }

    private func checkKey(_ options: Options) throws {
        if let key = options.string("key"), key != volume.key {
            throw StorageError(
                .notFound, "Volume \(volume.name) in pool \(pool.name) is not the one with key \(key) any more; look it up again.")
        }
    }
}
