// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// `/org/cistern1/pools/NAME` as it was last announced.
@LoopActor struct PoolObject: Sendable {
    let face: Face
    let pool: Pool
    let snapshot: PoolSnapshot

    init(face: Face, pool: Pool, snapshot: PoolSnapshot) {
        self.face = face
        self.pool = pool
        self.snapshot = snapshot
    }

    // MARK: - Properties that need more than a look

    /// Reading it has old numbers measured again.
    var space: Space {
        pool.spaceWasRead()
        return snapshot.space
    }

    var settings: [String: Variant] { snapshot.definition.settings.variants }

    var capabilities: [String: String] {
        Dictionary(uniqueKeysWithValues: snapshot.capabilities.map { ($0.key.rawValue, $0.value) })
    }

    var skipped: [Struct<String, String>] { snapshot.skipped.map { Struct($0.entry, $0.reason) } }

    // MARK: - The pool itself

    func build(_ options: Options) async throws -> ObjectPath {
        let overwrite = options.bool("overwrite") ?? false
        return try await face.answer(try await pool.build(overwrite: overwrite, by: try await face.caller()), options)
    }

    func start(_ options: Options) async throws -> ObjectPath {
        try await face.answer(try await pool.start(by: try await face.caller()), options)
    }

    func stop(_ options: Options) async throws -> ObjectPath {
        try await face.answer(try await pool.stop(by: try await face.caller()), options)
    }

    func refresh(_ options: Options) async throws -> ObjectPath {
        try await face.answer(try await pool.refresh(by: try await face.caller()), options)
    }

    func delete(_ options: Options) async throws -> ObjectPath {
        try await face.answer(try await pool.delete(confirm: options.string("confirm"), by: try await face.caller()), options)
    }

    func undefine(_ options: Options) async throws {
        try await face.engine.undefine(pool.name)
        await face.catchUp()
    }

    func setAutostart(_ autostart: Bool, _ options: Options) async throws {
        try await pool.setAutostart(autostart)
        await face.catchUp()
    }

    func getXML(_ options: Options) throws -> String { pool.snapshot.xml(compatible: options.bool("compatible") ?? false) }

    // MARK: - Its volumes

    func getVolume(_ name: String, _ options: Options) throws -> ObjectPath {
        let path = Paths.volume(name, in: pool.name)
        guard face.server.object(at: path, as: VolumeObject.self) != nil else {
            throw StorageError(.notFound, "Pool \(pool.name) has no volume \(name); see its list of volumes.")
        }
        return path
    }

    func createVolume(_ name: String, _ capacity: UInt64, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        try refuse(["security-label", "backing", "backing-format", "passphrase", "metadata"], in: options)
        var request = VolumeRequest(name: name, capacity: capacity, format: options.string("format") ?? defaultFormat)
        if let text = options.string("allocation") {
            guard let allocation = VolumeRequest.Allocation(rawValue: text) else {
                let known = VolumeRequest.Allocation.allCases.map(\.rawValue).joined(separator: ", ")
                throw StorageError(.invalidArguments, "There is no allocation “\(text)”; choose one of \(known).")
            }
            request.allocation = allocation
        }
        request.mode = options.unsigned("mode").map { UInt32($0) }
        request.owner = options.unsigned("owner").map { UInt32($0) }
        request.group = options.unsigned("group").map { UInt32($0) }
        return try await create(request, options)
    }

    func createVolumeXML(_ xml: String, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        try refuse(["source"], in: options)
        return try await create(try VolumeRequest.parse(xml: xml), options)
    }

    func cloneVolume(_ source: ObjectPath, _ name: String, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        try await pool.requireCapability(.volumeClone)
        throw StorageError(.notSupported, "Volumes cannot be cloned into pool \(pool.name) yet.")
    }

    private func create(_ request: VolumeRequest, _ options: Options) async throws -> (ObjectPath, ObjectPath) {
        let uid = try await face.caller()
        if let owner = request.owner, owner != uid { try await face.require(.volumePermissions) }
        let job = try await pool.createVolume(request, by: uid)
        let path = try await face.answer(job, options)
        return (Paths.volume(request.name, in: pool.name), path)
    }

    private var defaultFormat: String { snapshot.definition.string("volume.format") ?? "raw" }

    private func refuse(_ keys: [String], in options: Options) throws {
        for key in keys where options[key] != nil {
            throw StorageError(.notSupported, "Option “\(key)” is not possible for volumes of pool \(pool.name) yet; leave it out.")
        }
    }
}
