// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// What pools share.
struct PoolContext: Sendable {
    let jobs: JobTable
    let events: EventQueue
    let environment: Environment
    let definitions: any DefinitionStore
    let chains: BackingChains
    /// Has chains of another pool's volumes worked out again.
    let relink: @Sendable (_ pool: String, _ volumes: Set<String>) -> Void
    /// Keeps a volume of some pool from being changed or removed until it is released.
    let hold: @Sendable (_ volume: VolumeReference, _ key: String?) async throws(StorageError) -> Volume
    let release: @Sendable (_ volume: VolumeReference) async -> Void
    /// Notes that the pool stands on this; throws `exists` that names the pool which already does.
    let claimIdentity: @Sendable (_ identity: String, _ pool: String) async throws(StorageError) -> Void
    let releaseIdentity: @Sendable (_ pool: String) async -> Void
    /// Removes a pool of which nothing is on disk.
    let forgetTransient: @Sendable (_ pool: String) async -> Void
}

/// One pool: its definition, its state, and the only door to its backend.
///
/// Readers take ``snapshot``, which waits for nothing. What changes names goes through the turnstile, one by one; long data
/// work runs beside it and claims only its own volume.
public actor Pool {
    /// What readers see.
    struct Published {
        var snapshot: PoolSnapshot
        var volumes: [String: Volume] = [:]
        /// Entries that are no volumes, with reasons; all of them.
        var skipped: [String: String] = [:]
        /// Sum of the capacities that are known.
        var provisioned: UInt128 = 0

        /// Puts or, with nil, removes a volume. Its chain is the engine's to tell.
        ///
        /// - Returns: what a reader of the list must be told; nil if nothing changed.
        mutating func set(_ name: String, _ volume: Volume?) -> VolumeChange? {
            let old = volumes[name]
            var volume = volume
            let chain = old?.backingPath == volume?.backingPath ? old?.chain : nil
            volume?.chain = chain
            if old == volume { return nil }
            volumes[name] = volume
            if let old, old.capacity != unknownSize { provisioned -= UInt128(old.capacity) }
            if let volume, volume.capacity != unknownSize { provisioned += UInt128(volume.capacity) }
            guard let volume else { return .removed(name) }
            return old == nil ? .added(volume) : .changed(volume)
        }
    }

    /// Unique on the host.
    public nonisolated let name: String
    nonisolated let context: PoolContext
    private nonisolated let published: Mutex<Published>
    let turnstile = Turnstile()
    /// Refreshes go one by one, so that those who wait can share one.
    let refreshes = Turnstile()
    var type: PoolType
    var backend: any Backend
    /// Volumes somebody works on, and what is being done.
    var claims: [String: Operation] = [:]
    /// What is being done to the pool itself.
    var lifecycle: Operation?
    /// How often something has been begun with the pool itself.
    var lifecycles: UInt64 = 0
    /// Entries that changed behind our back while somebody worked on them: looked at when the claim ends.
    var unseen: Set<String> = []
    /// Entries to be looked at when the look that is under way has ended.
    var due: Set<String> = []
    var isLooking = false
    /// Looks that are under way, and entries that were worked on meanwhile: their word on those is not the last.
    var looks = 0
    var overtaken: Set<String> = []
    /// Entries that changed while they were worked on; see ``lookWhenQuiet(at:)``.
    var settled: Set<String> = []
    /// Scans that run now.
    var scans = 0
    /// How many scans have told what they found: a look that is older than the last of them is not the last word.
    var scansTold: UInt64 = 0
    /// Entries that changed since the oldest running scan began: a scan's word on them is not the last.
    var touched: Set<String> = []
    /// Operations of others that need a volume to stay as it is.
    var holds: [String: Int] = [:]
    /// How often volumes may be told to have changed.
    var pace = ChangePace()
    var waitingRefresh: Job?
    var watcher: Task<Void, Never>?
    /// Jobs that finish or undo what a crash interrupted in this pool.
    var recoveries: [Job] = []
    var retrier: Task<Void, Never>?
    /// The attempt under way to reach the pool after it went away. Whoever starts or stops the pool waits for its end.
    var comeback: Task<Result<Void, StorageError>, Never>?
    var spaceMeasured: ContinuousClock.Instant?
    private nonisolated let spaceFreshness = Mutex(Freshness())
    /// When volumes were last looked at because somebody read them.
    nonisolated let lately = Lately()

    init(_ definition: PoolDefinition, type: PoolType, backend: any Backend, persistent: Bool, context: PoolContext) {
        name = definition.name
        self.type = type
        self.backend = backend
        self.context = context
        var snapshot = PoolSnapshot(definition: definition)
        snapshot.persistent = persistent
        snapshot.stateSince = context.environment.now()
        snapshot.targetPath = backend.targetPath
        snapshot.capabilities = type.capabilities(of: backend)
        published = Mutex(Published(snapshot: snapshot))
    }

    /// The pool as it is now.
    public nonisolated var snapshot: PoolSnapshot { published.withLock { $0.snapshot } }

    /// The pool's volumes as they are now.
    public nonisolated var volumes: [String: Volume] { published.withLock { $0.volumes } }

    /// One volume as it is now.
    public nonisolated func volume(_ name: String) -> Volume? { published.withLock { $0.volumes[name] } }

    /// Why an entry is no volume; nil if it is one, or is not there.
    nonisolated func skippedReason(_ name: String) -> String? { published.withLock { $0.skipped[name] } }

    // MARK: - Publishing: the only places that change what readers see

    func announce() { context.events.emit(.pool(self, snapshot)) }

    func publish(_ change: (inout PoolSnapshot) -> Void) {
        let now = context.environment.now()
        let new = published.withLock { published -> PoolSnapshot? in
            let old = published.snapshot
            change(&published.snapshot)
            if published.snapshot.state != old.state { published.snapshot.stateSince = now }
            published.snapshot.warnings = SpaceWarnings.of(published.snapshot, before: old.warnings)
            return published.snapshot == old ? nil : published.snapshot
        }
        if let new { context.events.emit(.pool(self, new)) }
    }

    func publish(state: PoolState, reason: String = "") {
        publish { snapshot in
            snapshot.state = state
            snapshot.stateReason = reason
        }
    }

    /// Applies what was found out about entries, and tells of it.
    func apply(_ entries: [String: Entry]) {
        var changes = published.withLock { published in
            entries.compactMap { name, entry -> VolumeChange? in
                switch entry {
                case .volume(let volume):
                    published.skipped[name] = nil
                    return published.set(name, volume)
                case .skipped(let reason):
                    published.skipped[name] = reason
                    return published.set(name, nil)
                case .absent:
                    published.skipped[name] = nil
                    return published.set(name, nil)
                }
            }
        }
        // Those that went first, so that no key is at two objects at once.
        _ = changes.partition { if case .removed = $0 { false } else { true } }
        tell(changes)
    }

    /// Replaces the whole list, and tells of the difference.
    func replace(_ volumes: [String: Volume], skipped: [String: String] = [:]) {
        let changes = published.withLock { published in
            published.skipped = skipped
            let gone = published.volumes.keys.filter { volumes[$0] == nil }
            return gone.compactMap { published.set($0, nil) } + volumes.compactMap { published.set($0.key, $0.value) }
        }
        tell(changes)
    }

    private func tell(_ changes: [VolumeChange]) {
        let changes = withChains(changes)
        if !changes.isEmpty { context.events.emit(.volumes(pool: name, changes)) }
        let (count, provisioned, skipped) = published.withLock { ($0.volumes.count, $0.provisioned, $0.skipped) }
        let reasons = skipped.sorted { $0.key < $1.key }.prefix(100).map { SkippedEntry(entry: $0.key, reason: $0.value) }
        publish { snapshot in
            snapshot.volumeCount = UInt32(clamping: count)
            snapshot.provisioned = UInt64(min(provisioned, UInt128(unknownSize - 1)))
            snapshot.skipped = reasons
            snapshot.skippedCount = UInt32(clamping: skipped.count)
        }
    }

    // MARK: - Backing chains

    /// Works out again how volumes stand to others, and tells of it.
    func relink(_ names: Set<String>) {
        let changes = rechained(names)
        if !changes.isEmpty { context.events.emit(.volumes(pool: name, changes)) }
    }

    /// Has the chains worked out of volumes in whatever pool.
    func relink(_ volumes: Set<VolumeReference>) {
        for (pool, volumes) in Dictionary(grouping: volumes, by: \.pool) {
            let names = Set(volumes.map(\.name))
            if pool == name { relink(names) } else { context.relink(pool, names) }
        }
    }

    /// The changes of the list, and what they change in the chains of its volumes.
    private func withChains(_ changes: [VolumeChange]) -> [VolumeChange] {
        let affected = context.chains.note(changes, in: self)
        if affected.isEmpty { return changes }
        relink(affected.filter { $0.pool != name })
        var latest: [String: Volume] = [:]
        for volume in rechained(Set(affected.lazy.filter { $0.pool == self.name }.map(\.name))).compactMap(\.volume) {
            latest[volume.name] = volume
        }
        let told = changes.map { change -> VolumeChange in
            guard let volume = latest.removeValue(forKey: change.name) else { return change }
            if case .added = change { return .added(volume) }
            return .changed(volume)
        }
        return told + latest.values.map { .changed($0) }
    }

    private func rechained(_ names: Set<String>) -> [VolumeChange] {
        names.compactMap { name in
            guard let volume = volume(name) else { return nil }
            let chain = context.chains.chain(of: volume, in: self.name)
            return published.withLock { published -> VolumeChange? in
                guard var volume = published.volumes[name], volume.chain != chain else { return nil }
                volume.chain = chain
                published.volumes[name] = volume
                return .changed(volume)
            }
        }
    }

    // MARK: - Space

    /// Tells that somebody reads the pool's sizes: what is older than 5 s, or than the last change, is measured again. Waits for nothing.
    public nonisolated func spaceWasRead() { measure { $0.isOutdated || $0.isOld } }

    /// Notes that there is more or less space than before. Many changes are not worth a measurement each.
    func spaceChanged() { measure(if: \.isOld, orNote: true) }

    private nonisolated func measure(if isDue: (Freshness) -> Bool, orNote isOutdated: Bool = false) {
        let due = spaceFreshness.withLock { freshness in
            guard isDue(freshness) else {
                freshness.isOutdated = freshness.isOutdated || isOutdated
                return false
            }
            freshness = Freshness()
            return true
        }
        if due { Task { await measure() } }
    }

    /// How true the sizes are that the pool tells.
    private struct Freshness {
        private let until = ContinuousClock.now + .seconds(5)
        var isOutdated = false

        var isOld: Bool { ContinuousClock.now >= until }
    }

    /// Measures and publishes the pool's sizes, if the pool is active and can tell.
    func measure() async {
        guard snapshot.state.isActive, let measuring = backend as? any SpaceMeasuring, let space = try? await measuring.measure() else {
            return
        }
        guard snapshot.state.isActive else { return }
        publish(space)
    }

    func publish(_ space: Space) {
        spaceFreshness.withLock { $0 = Freshness() }
        publish { $0.space = space }
    }
}

/// When a pool's space is worth a warning.
enum SpaceWarnings {
    /// A warning comes below its threshold and goes a hundredth above it, so that it does not flap.
    static func of(_ pool: PoolSnapshot, before: [String]) -> [String] {
        guard pool.state.isActive, pool.space.capacity != unknownSize, pool.space.capacity > 0 else { return [] }
        var warnings: [String] = []
        let free = Double(pool.space.available) / Double(pool.space.capacity)
        for (warning, threshold) in [("space-low", 0.10), ("space-critical", 0.03)] {
            if free < threshold + (before.contains(warning) ? 0.01 : 0) { warnings.append(warning) }
        }
        if pool.provisioned > pool.space.capacity { warnings.append("overcommitted") }
        return warnings
    }
}
