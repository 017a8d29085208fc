// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop

/// A pool without storage: it does at once, or as slowly and as badly as it is told, what others do with disks.
public final class SimulatedPool: Backend, Limited, Recovering {
    /// The type `simulated`.
    public static var type: PoolType {
        PoolType(
            name: "simulated", backend: SimulatedPool.self, volumeFormats: creatableFormats,
            settings: [
                "simulated.capacity": "t", "simulated.throttle": "t", "simulated.delay-ms": "u", "simulated.fail": "s",
                "volume.format": "s",
            ]
        ) { definition throws(StorageError) in try SimulatedPool(definition) }
    }

    public let disk: SimulatedDisk
    let definition: PoolDefinition
    private let isStarted = Locked(false)

    /// A pool on a disk of its own, which behaves as the definition's settings say.
    ///
    /// `simulated.fail` is a list like `Pool.CreateVolume:NoSpace, Volume.Delete:Busy:0`: operation, error, and how many bytes
    /// are moved before.
    public convenience init(_ definition: PoolDefinition) throws(StorageError) {
        try self.init(definition, disk: SimulatedDisk(identity: definition.uuid))
    }

    /// A pool on a disk that others have too.
    public init(_ definition: PoolDefinition, disk: SimulatedDisk) throws(StorageError) {
        self.definition = definition
        self.disk = disk
        let faults = try Self.faults(definition)
        disk.behave { behaviour in
            if case .uint64(let bytes) = definition.settings["simulated.capacity"] { behaviour.capacity = bytes }
            if case .uint64(let bytes) = definition.settings["simulated.throttle"] { behaviour.throttle = max(1, bytes) }
            if let delay = definition.uint32("simulated.delay-ms") { behaviour.delay = .milliseconds(Int64(delay)) }
            behaviour.faults.merge(faults) { _, new in new }
        }
    }

    private static func faults(_ definition: PoolDefinition) throws(StorageError) -> [Operation: SimulatedDisk.Fault] {
        var faults: [Operation: SimulatedDisk.Fault] = [:]
        for item in (definition.string("simulated.fail") ?? "").split(separator: ",") {
            let parts = item.split(separator: ":").map { $0.filter { $0 != " " } }
            guard parts.count == 2 || parts.count == 3, let operation = Operation(rawValue: parts[0]),
                let code = StorageError.Code(rawValue: parts[1]), let bytes = parts.count == 3 ? UInt64(parts[2]) : 0
            else {
                throw StorageError(
                    .invalidArguments,
                    "Pool \(definition.name): simulated.fail has “\(item)”; write OPERATION:ERROR or OPERATION:ERROR:BYTES.")
            }
            faults[operation] = SimulatedDisk.Fault(code, afterBytes: bytes)
        }
        return faults
    }

    public var targetPath: String { "/simulated/\(definition.name)" }
    public var limits: [Operation: String] { disk.state.withLock { $0.behaviour.limits } }

    public func start(_ progress: Progress) async throws(StorageError) -> String {
        try await work(.poolStart, progress)
        guard disk.state.withLock({ $0.isBuilt }) else {
            throw StorageError(.unavailable, "Simulated pool \(definition.name) has no storage; build it.")
        }
        isStarted.withLock { $0 = true }
        return "simulated:\(disk.identity)"
    }

    public func stop(_ progress: Progress) async throws(StorageError) {
        try await work(.poolStop, progress, mayBeLost: true)
        isStarted.withLock { $0 = false }
        let queues = disk.state.withLock { state in
            defer { state.watches = [] }
            return state.watches.compactMap(\.queue)
        }
        for queue in queues { queue.finish() }
    }

    public func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents {
        try await work(.poolRefresh, Progress.ignored())
        return disk.state.withLock { state in
            Contents(volumes: state.volumes.mapValues(shown), skipped: state.skipped, space: disk.space(state))
        }
    }

    public func recover(_ notes: [String]) async throws(StorageError) -> Bool {
        try await work(.poolRefresh, Progress.ignored())
        let keys = Set(notes.filter { $0.hasPrefix("link ") }.map { String($0.dropFirst("link ".count)) })
        return disk.state.withLock { $0.volumes.values.contains { keys.contains($0.key) } }
    }

    // MARK: - Behaving

    /// The volume as it looks from this pool.
    func shown(_ volume: Volume) -> Volume {
        var volume = volume
        volume.path = targetPath + "/" + volume.name
        return volume
    }

    /// Takes the time that the operation takes, moves its bytes, and fails if it is to fail.
    func work(_ operation: Operation, _ progress: Progress, bytes: UInt64 = 0, mayBeLost: Bool = false) async throws(StorageError) {
        let (behaviour, loss) = disk.state.withLock { ($0.behaviour, $0.lossReason) }
        if let loss, !mayBeLost { throw StorageError(.unavailable, "Simulated pool \(definition.name) is gone: \(loss)") }
        try await Self.pause(behaviour.delays[operation] ?? behaviour.delay, progress)
        let fault = takeFault(operation)
        let limit = min(bytes, fault?.afterBytes ?? bytes)
        try await move(limit, throttle: behaviour.throttle, progress)
        if let fault {
            throw StorageError(
                fault.code, "Simulated pool \(definition.name) was told to fail at \(operation.rawValue) after \(limit) bytes.")
        }
    }

    private func takeFault(_ operation: Operation) -> SimulatedDisk.Fault? {
        disk.state.withLock { state in
            guard let fault = state.behaviour.faults[operation] else { return nil }
            if let times = fault.times {
                state.behaviour.faults[operation]?.times = times - 1
                if times <= 1 { state.behaviour.faults[operation] = nil }
            }
            return fault
        }
    }

    private func move(_ bytes: UInt64, throttle: UInt64?, _ progress: Progress) async throws(StorageError) {
        guard let throttle else {
            try progress.checkCancelled()
            if bytes > 0 { progress.advance(bytes) }
            return
        }
        var done: UInt64 = 0
        let piece = max(1, throttle / 50)
        while done < bytes {
            let length = min(piece, bytes - done)
            try await Self.pause(.seconds(1) * (Double(length) / Double(throttle)), progress)
            progress.advance(length)
            done += length
        }
    }

    /// Sleeps, in naps so short that a request to stop is heard at once.
    private static func pause(_ duration: Duration, _ progress: Progress) async throws(StorageError) {
        try progress.checkCancelled()
        let end = ContinuousClock.now + duration
        while ContinuousClock.now < end {
            do { try await ContinuousClock().sleep(until: min(end, .now + .milliseconds(10)), tolerance: nil) } catch { progress.cancel() }
            try progress.checkCancelled()
        }
    }
}
