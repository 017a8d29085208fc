// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

extension PoolObject {
    func createVolume(_ name: String, _ capacity: UInt64, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        try refuse(["security-label", "metadata"], in: options)
        var request = VolumeRequest(name: name, capacity: capacity, format: options.string("format") ?? defaultFormat)
        request.allocation = try allocation(options) ?? .sparse
        request.mode = options.unsigned("mode").map { UInt32($0) }
        request.owner = options.unsigned("owner").map { UInt32($0) }
        request.group = options.unsigned("group").map { UInt32($0) }
        request.layout = layout(options)
        request.backing = try await backing(options)
        request.passphrase = try await passphrase(options)
        return try await create(request, options)
    }

    func createVolumeXML(_ xml: String, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        try refuse(["source"], in: options)
        let parsed = try VolumeRequest.parse(xml: xml)
        var request = parsed.request
        request.backing = try await backing(parsed)
        if request.capacity == 0, let volume = request.backing?.volume { request.capacity = capacity(of: volume) }
        request.passphrase = try await passphrase(parsed, options)
        return try await create(request, options)
    }

    func cloneVolume(_ source: ObjectPath, _ name: String, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        try await pool.requireCapability(.volumeClone)
        throw StorageError(.notSupported, "Volumes cannot be cloned into pool \(pool.name) yet.")
    }

    private func create(_ request: VolumeRequest, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        let uid = try await face.caller()
        if let owner = request.owner, owner != uid { try await face.require(.volumePermissions, about: self) }
        let job = try await pool.createVolume(request, by: uid)
        let path = try await face.answer(job, options)
        return (Paths.volume(request.name, in: pool.name), path)
    }

    // MARK: - Options

    private var defaultFormat: String { snapshot.definition.string("volume.format") ?? "raw" }

    private func allocation(_ options: Options) throws -> VolumeRequest.Allocation? {
        guard let text = options.string("allocation") else { return nil }
        if let allocation = VolumeRequest.Allocation(rawValue: text) { return allocation }
        let known = VolumeRequest.Allocation.allCases.map(\.rawValue).joined(separator: ", ")
        throw StorageError(.invalidArguments, "There is no allocation “\(text)”; choose one of \(known).")
    }

    private func layout(_ options: Options) -> ImageLayout {
        var layout = ImageLayout()
        layout.compat = options.string("compat")
        layout.clusterSize = options.unsigned("cluster-size")
        layout.lazyRefcounts = options.bool("lazy-refcounts")
        layout.extendedL2 = options.bool("extended-l2")
        layout.subformat = options.string("subformat")
        return layout
    }

    /// The volume that the new one is to stand on, which the caller must be allowed to read.
    private func backing(_ options: Options) async throws -> VolumeRequest.Backing? {
        guard let path = options.path("backing") else {
            if options["backing-format"] == nil { return nil }
            throw StorageError(.invalidArguments, "Option “backing-format” says nothing without “backing”; name the backing volume, too.")
        }
        guard let object = face.server.object(at: path, as: VolumeObject.self) else {
            throw StorageError(.notFound, "There is no volume \(path) that could be a backing file; see ListVolumes.")
        }
        try await face.require(.volumeReadData, about: object)
        let reference = VolumeReference(pool: object.pool.name, name: object.volume.name)
        return VolumeRequest.Backing(reference, key: object.volume.key, format: options.string("backing-format") ?? "")
    }

    /// What the XML names by its path: a volume that the caller must be allowed to read. Any other file is for root to name.
    private func backing(_ parsed: ParsedVolume) async throws -> VolumeRequest.Backing? {
        guard let path = parsed.backingPath else { return nil }
        if let volume = face.engine.volume(at: path), let object = face.server.object(at: Paths.volume(volume), as: VolumeObject.self) {
            try await face.require(.volumeReadData, about: object)
            return VolumeRequest.Backing(volume, format: parsed.backingFormat)
        }
        guard face.authority.isRoot(try await face.caller()) else {
            throw StorageError(
                .accessDenied, "\(path) is no volume of an active pool, so only root may name it as backing file; make it a volume first.")
        }
        if parsed.request.capacity == 0 {
            throw StorageError(
                .invalidArguments, "\(path) is no volume of an active pool, so its capacity is not known; add the element capacity.")
        }
        return VolumeRequest.Backing(path: path, format: parsed.backingFormat)
    }

    private func capacity(of volume: VolumeReference) -> UInt64 {
        let known = face.server.object(at: Paths.volume(volume), as: VolumeObject.self)?.volume.capacity ?? unknownSize
        return known == unknownSize ? 0 : known
    }

    private func passphrase(_ parsed: ParsedVolume, _ options: Options) async throws -> Secret? {
        let passphrase = try await passphrase(options)
        let name = parsed.request.name
        switch (parsed.isEncrypted, passphrase, parsed.secret) {
        case (true, nil, let secret?):
            throw StorageError(
                .notFound, "Volume \(name) is to be encrypted with the secret \(secret), which is not kept here; give option “passphrase”.")
        case (true, nil, nil):
            throw StorageError(.invalidArguments, "Volume \(name) is to be encrypted with nothing; give option “passphrase”.")
        case (false, _?, _):
            throw StorageError(
                .invalidArguments, "Volume \(name) is not to be encrypted; add target/encryption, or leave option “passphrase” out.")
        default: return passphrase
        }
    }

    private func passphrase(_ options: Options) async throws -> Secret? {
        guard let descriptor = options.descriptor("passphrase") else { return nil }
        let bytes = try await face.readSecret(descriptor)
        guard !bytes.isEmpty, bytes.count <= Secret.limit else {
            throw StorageError(
                .invalidArguments,
                "The passphrase must have 1 to \(Secret.limit) bytes; write it to the descriptor and close the other end.")
        }
        return Secret(bytes)
    }

    private func refuse(_ keys: [String], in options: Options) throws {
        for key in keys where options[key] != nil {
            throw StorageError(.notSupported, "Option “\(key)” is not possible for volumes of pool \(pool.name) yet; leave it out.")
        }
    }
}
