// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// `/org/cistern1`.
@LoopActor struct ManagerObject: Sendable {
    let face: Face
    private var engine: Engine { face.engine }
    var publisher: Publisher { face.publisher }

    init(face: Face) { self.face = face }

    // MARK: - Defining

    func definePool(_ name: String, _ type: String, _ given: [String: Variant], _ options: Options) async throws -> ObjectPath {
        let definition = PoolDefinition(name: name, uuid: "", type: type, settings: try settings(given, of: try engine.type(type)))
        return try await define(definition, options)
    }

    func definePoolXML(_ xml: String, _ options: Options) async throws -> ObjectPath {
        try await define(try PoolDefinition.parse(xml: xml).definition, options)
    }

    private func define(_ definition: PoolDefinition, _ options: Options) async throws -> ObjectPath {
        var how = Engine.DefineOptions()
        how.autostart = options.bool("autostart") ?? false
        how.transient = options.bool("transient") ?? false
        how.replace = options.bool("replace") ?? false
        how.validateOnly = options.bool("validate-only") ?? false
        let pool = try await engine.define(definition, how)
        await face.catchUp()
        return pool.map { Paths.pool($0.name) } ?? Paths.none
    }

    func findPoolSources(_ type: String, _ place: [String: Variant], _ options: Options) async throws -> [[String: Variant]] {
        let timeout = Duration.microseconds(options.unsigned("timeout").map { Int64(clamping: $0) } ?? 20_000_000)
        let sources = try await engine.findSources(of: type, at: settings(place, of: try engine.type(type)), within: timeout)
        return sources.map { $0.variants }
    }

    // MARK: - Looking up

    func getPool(_ name: String, _ options: Options) throws -> ObjectPath {
        guard publisher.pools[name] != nil else { throw StorageError(.notFound, "There is no pool \(name); see the list of pools.") }
        return Paths.pool(name)
    }

    func getPoolByUUID(_ uuid: String, _ options: Options) throws -> ObjectPath {
        let wanted = uuid.lowercased()
        guard let pool = publisher.pools.values.first(where: { $0.snapshot.definition.uuid == wanted }) else {
            throw StorageError(.notFound, "There is no pool with the UUID \(uuid); see the list of pools.")
        }
        return Paths.pool(pool.name)
    }

    func getPoolByTargetPath(_ path: String, _ options: Options) throws -> ObjectPath {
        let wanted = trimmed(path)
        let candidates = publisher.pools.values.filter { trimmed($0.snapshot.targetPath) == wanted && !wanted.isEmpty }
        guard
            let pool = candidates.min(by: { ($0.snapshot.state.isActive ? 0 : 1, $0.name) < ($1.snapshot.state.isActive ? 0 : 1, $1.name) })
        else {
            throw StorageError(.notFound, "No pool has the target path \(path); see the list of pools.")
        }
        return Paths.pool(pool.name)
    }

    func getVolumeByPath(_ path: String, _ options: Options) throws -> ObjectPath {
        let volume = engine.volume(at: path).map { Paths.volume($0) }
        guard let volume, face.server.object(at: volume, as: VolumeObject.self) != nil else {
            throw StorageError(.notFound, "No active pool has a volume at \(path); start its pool, or see ListVolumes.")
        }
        return volume
    }

    func getVolumeByKey(_ key: String, _ options: Options) throws -> ObjectPath {
        guard let volume = publisher.volumesByKey[key] else {
            throw StorageError(.notFound, "No active pool has a volume with the key \(key); start its pool, or see ListVolumes.")
        }
        return volume
    }

    private func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    // MARK: - What is there

    func getPoolTypes(_ options: Options) -> [String: [String: Variant]] {
        engine.types.mapValues { type in
            [
                "available": .bool(type.reason.isEmpty),
                "reason": .string(type.reason),
                "capabilities": .dictionary(Dictionary(uniqueKeysWithValues: type.capabilities.map { ($0.key.rawValue, $0.value) })),
                "pool-formats": .strings(type.poolFormats),
                "volume-formats": .strings(type.volumeFormats),
                "settings": .dictionary(type.settings),
            ]
        }
    }

    func checkAuthorization(_ actions: [String], _ object: ObjectPath, _ options: Options) async throws -> [String: String] {
        let target = face.object(at: object)
        guard let target else { throw StorageError(.notFound, "There is no object \(object); name a pool, a volume, a job or /.") }
        guard let call = Call.current else { return [:] }
        var answers: [String: String] = [:]
        for action in actions {
            guard Action(id: action) != nil else {
                throw StorageError(
                    .invalidArguments, "There is no action “\(action)”; there are \(Action.allCases.map(\.id).joined(separator: ", ")).")
            }
            answers[action] =
                switch try await face.authority.foresee(action, of: call, about: target) {
                case .yes: "yes"
                case .no, .absent: "no"
                case .challenge: "challenge"
                }
        }
        return answers
    }

    func getStatistics(_ options: Options) async -> [String: [String: Variant]] {
        var answer: [String: [String: Variant]] = [:]
        for pool in publisher.pools.values {
            let snapshot = pool.snapshot
            answer[pool.name] = [
                "capacity": .uint64(snapshot.space.capacity), "allocation": .uint64(snapshot.space.allocation),
                "available": .uint64(snapshot.space.available), "provisioned": .uint64(snapshot.provisioned),
                "volumes": .uint64(UInt64(snapshot.volumeCount)), "skipped": .uint64(UInt64(snapshot.skippedCount)),
                "last-scan": .uint64(snapshot.lastScan),
            ]
        }
        let jobs = await engine.jobs.counts
        var own = face.statistics().mapValues { Variant.uint64($0) }
        own["pools"] = .uint64(UInt64(publisher.pools.count))
        own["jobs-running"] = .uint64(UInt64(jobs.running))
        own["jobs-finished"] = .uint64(UInt64(jobs.finished))
        answer[""] = own
        return answer
    }

    // MARK: - Secrets: no pool type of this version uses one

    func setSecret(_ usage: String, _ value: UnixDescriptor, _ options: Options) throws {
        throw StorageError(.notSupported, "No pool type of this version uses secrets, so none is kept for \(usage).")
    }

    func removeSecret(_ usage: String, _ options: Options) throws {
        throw StorageError(.notFound, "No secret is kept for \(usage).")
    }

    func listSecrets(_ options: Options) -> [String] { [] }
}
