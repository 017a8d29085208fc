// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop
import Logging

/// Turns the engine's events into objects and signals, in their order, in slices that let other calls through.
@LoopActor final class Publisher {
    weak var face: Face?
    private let events: EventQueue
    private let server: ObjectServer
    private let logger: Logger
    private let audit: Audit
    private var pumping = false
    private var jobsUnderWay: Set<UInt64> = []
    private var isSummaryOld = true
    private var summary = ""
    /// Told in a few words what the service has and does, when that changes.
    var onSummary: (@LoopActor (String) -> Void)?
    /// Volumes by key.
    private(set) var volumesByKey = PathIndex()
    /// What is on the bus, by pool.
    private(set) var pools: [String: Pool] = [:]
    /// A pool's volumes in the order of their names' bytes, for those pools that somebody has listed.
    private var order: [String: [Entry]] = [:]

    /// A scan of so many volumes leaves memory worth giving back.
    private static let many = 1000

    struct Entry: Sendable {
        let name: String
        let path: ObjectPath
    }

    /// How often volumes have come or gone.
    private var comings: UInt64 = 0

    init(_ events: EventQueue, _ server: ObjectServer, logger: Logger, audit: Audit) {
        self.events = events
        self.server = server
        self.logger = logger
        self.audit = audit
    }

    func start() {
        events.onEvent { [weak self] in
            Task { @LoopActor in await self?.pump() }
        }
    }

    /// Returns when all events that have been emitted by now are on the bus.
    func catchUp() async {
        await pump()
        await events.becomeKnown()
    }

    private func pump() async {
        if pumping { return }
        pumping = true
        defer { pumping = false }
        var slice = Slice()
        while true {
            let batch = events.take()
            if batch.isEmpty {
                if isSummaryOld { summarize() }
                return
            }
            for event in batch {
                await publish(event, &slice)
                events.tellOne()
                await slice.breathe()
            }
        }
    }

    func summarize() {
        guard let onSummary else { return }
        isSummaryOld = false
        let active = pools.values.count { $0.snapshot.state.isActive }
        let away = pools.values.count { $0.snapshot.state.isAway }
        let new =
            "\(pools.count) \(pools.count == 1 ? "pool" : "pools"), \(active) active" + (away > 0 ? ", \(away) away" : "")
            + "; \(jobsUnderWay.count) \(jobsUnderWay.count == 1 ? "job" : "jobs") under way"
        if new == summary { return }
        summary = new
        onSummary(new)
    }

    private func publish(_ event: Event, _ slice: inout Slice) async {
        guard let face else { return }
        switch event {
        case .pool(let pool, let snapshot): publish(PoolObject(face: face, pool: pool, snapshot: snapshot))
        case .poolRemoved(let name): removePool(name)
        case .volumes(let pool, let changes):
            guard let pool = pools[pool] else { return }
            for change in changes {
                publish(change, in: pool, face)
                await slice.breathe()
            }
        case .job(let job, let snapshot):
            if snapshot.state.isFinished ? jobsUnderWay.remove(job.id) != nil : jobsUnderWay.insert(job.id).inserted {
                isSummaryOld = true
            }
            publish(JobObject(face: face, job: job, snapshot: snapshot))
        case .jobFinished(let job): finished(job)
        case .jobRemoved(let id): server.remove(Paths.job(id))
        case .notice(let pool, let text): logger.warning("\(text)", metadata: pool.isEmpty ? nil : ["pool": "\(pool)"])
        }
    }

    // MARK: - Pools

    private func publish(_ object: PoolObject) {
        let name = object.pool.name
        let path = Paths.pool(name)
        if let old = server.object(at: path, as: PoolObject.self) {
            if old.snapshot.state != object.snapshot.state {
                isSummaryOld = true
                log(object.snapshot)
            }
            if old.snapshot.lastScan != object.snapshot.lastScan, object.snapshot.volumeCount >= Self.many { Memory.settle() }
            server.update(path, to: object)
        } else {
            isSummaryOld = true
            pools[name] = object.pool
            server.addManager(at: Paths.volumes(of: name), hint: "use ListVolumes of org.cistern1.Manager")
            server.export(object, at: path, [Interfaces.pool])
        }
    }

    private func log(_ pool: PoolSnapshot) {
        let reason = pool.stateReason.isEmpty ? "" : ": \(pool.stateReason)"
        let level: Logger.Level = pool.state.isAway || pool.state == .degraded ? .warning : .info
        logger.log(
            level: level, "pool \(pool.definition.name) is \(pool.state.rawValue)\(reason)", metadata: ["pool": "\(pool.definition.name)"])
    }

    private func removePool(_ name: String) {
        isSummaryOld = true
        order[name] = nil
        pools[name] = nil
        server.removeManager(at: Paths.volumes(of: name))
        server.remove(Paths.pool(name))
    }

    // MARK: - Volumes

    private func publish(_ change: VolumeChange, in pool: Pool, _ face: Face) {
        switch change {
        case .removed(let name): removeVolume(name, of: pool.name)
        case .added(let volume), .changed(let volume):
            let object = VolumeObject(face: face, pool: pool, volume: volume)
            let path = Paths.volume(volume.name, in: pool.name)
            if let old = server.object(at: path, as: VolumeObject.self)?.volume {
                if old.key.isEmpty || old.key == volume.key {
                    forget(old, at: path)
                    index(volume, at: path)
                    server.update(path, to: object)
                    return
                }
                // Another object under the same name: clients must not take it for the old one.
                removeVolume(volume.name, of: pool.name)
            }
            listChanged(of: pool.name)
            index(volume, at: path)
            server.export(object, at: path, [Interfaces.volume])
        }
    }

    private func removeVolume(_ name: String, of pool: String) {
        let path = Paths.volume(name, in: pool)
        if let old = server.object(at: path, as: VolumeObject.self) { forget(old.volume, at: path) }
        listChanged(of: pool)
        server.remove(path)
    }

    private func listChanged(of pool: String) {
        order[pool] = nil
        comings += 1
    }

    /// The pool's volumes in the order of their names' bytes; sorted off the loop, and kept until the list changes.
    func sortedEntries(of pool: Pool) async -> [Entry] {
        if let known = order[pool.name] { return known }
        let before = comings
        let sorted = await Self.sort(pool)
        if comings == before { order[pool.name] = sorted }
        return sorted
    }

    @concurrent private nonisolated static func sort(_ pool: Pool) async -> [Entry] {
        pool.volumes.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
            Entry(name: $0, path: Paths.volume($0, in: pool.name))
        }
    }

    private func index(_ volume: Volume, at path: ObjectPath) {
        volumesByKey.add(volume.key, path)
    }

    private func forget(_ volume: Volume, at path: ObjectPath) {
        volumesByKey.remove(volume.key, path)
    }

    // MARK: - Jobs

    private func publish(_ object: JobObject) {
        let path = Paths.job(object.job.id)
        if server.object(at: path, as: JobObject.self) != nil {
            server.update(path, to: object)
        } else {
            server.export(object, at: path, [Interfaces.job])
        }
    }

    private func finished(_ job: JobSnapshot) {
        let error = job.error
        do {
            try server.emit(
                Paths.manager, Interfaces.manager, "JobFinished", Paths.job(job.id), job.state.rawValue, error?.code.busName ?? "",
                error?.message ?? "")
        } catch {
            logger.error("ignoring that JobFinished of job \(job.id) could not be sent: \(error)")
        }
        audit.record(job)
    }
}
