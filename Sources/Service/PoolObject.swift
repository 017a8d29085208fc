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
        try await face.answer(try await pool.stop(lazy: options.bool("lazy") ?? false, by: try await face.caller()), options)
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

    func getXML(_ options: Options) throws -> String { try pool.snapshot.xml(compatible: options.bool("compatible") ?? false) }

    // MARK: - Its volumes

    func getVolume(_ name: String, _ options: Options) throws -> ObjectPath {
        let path = Paths.volume(name, in: pool.name)
        guard face.server.object(at: path, as: VolumeObject.self) != nil else {
            throw StorageError(.notFound, "Pool \(pool.name) has no volume \(name); see its list of volumes.")
        }
        return path
    }
}
