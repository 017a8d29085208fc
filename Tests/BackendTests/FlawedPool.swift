// SPDX-License-Identifier: LGPL-2.1-or-later
import Backends
import Cistern
import EventLoop
import Glibc

/// One way in which a backend may break its promises.
enum Flaw: String, CaseIterable, Sendable {
    case replaces, leavesHalf, ignoresCancel, showsPartial, forgetsKey, sharesKeys, deletesByName, renameReplaces
    case shrinksAnyway, believesWhatIsKnown, silentWatch, watchOutlivesThePool, deletesFullPools, forgetsJournal, recoversAnything
    case newIdentityEachStart, opensTooMuch, losesNames, wrongErrorCode, failsSecondStop, ignoresMode

    /// Part of what the check must say.
    var symptom: String {
        switch self {
        case .replaces: "creating under a name that is taken"
        case .leavesHalf: "a cancelled creation leaves something"
        case .ignoresCancel: "a creation that was cancelled before it began succeeds"
        case .showsPartial: "a scan shows a volume that is not complete yet"
        case .forgetsKey: "a scan shows other keys than creations did"
        case .sharesKeys: "two volumes have the same key"
        case .deletesByName: "deleting what is another by now succeeds"
        case .renameReplaces: "renaming to a name that is taken succeeds"
        case .shrinksAnyway: "shrinking that was not allowed succeeds"
        case .believesWhatIsKnown: "a scan believes what it is told is known"
        case .silentWatch: "is not told of"
        case .watchOutlivesThePool: "who watches is not told that the pool stopped"
        case .deletesFullPools: "deleting a pool that holds a volume succeeds"
        case .forgetsJournal: "nothing was journaled"
        case .recoversAnything: "recovering takes work for finished of which nothing is left"
        case .newIdentityEachStart: "starting twice: the identity changes"
        case .opensTooMuch: "writing behaves otherwise"
        case .losesNames: "became"
        case .wrongErrorCode: "not [\"NoSpace\"]"
        case .failsSecondStop: "stopping while stopped: fails unexpectedly"
        case .ignoresMode: "0604"
        }
    }
}

/// A simulated pool with one flaw, or none.
final class FlawedPool: Backend, Buildable, VolumeCreating, VolumeResizing, VolumeRenaming, VolumePermitting {
    let pool: SimulatedPool
    let flaw: Flaw?
    private let starts = Locked(0)

    init(_ pool: SimulatedPool, _ flaw: Flaw?) {
        self.pool = pool
        self.flaw = flaw
    }

    static var creatableFormats: [String] { SimulatedPool.creatableFormats }
    var targetPath: String { pool.targetPath }

    func start(_ progress: Progress) async throws(StorageError) -> String {
        let identity = try await pool.start(progress)
        let count = starts.withLock { count in
            count += 1
            return count
        }
        return flaw == .newIdentityEachStart ? "\(identity)-\(count)" : identity
    }

    func stop(_ progress: Progress) async throws(StorageError) {
        let wasStarted = starts.withLock { count in
            defer { count = 0 }
            return count > 0
        }
        if flaw == .failsSecondStop, !wasStarted { throw StorageError(.poolInactive, "The pool is stopped.") }
        if flaw != .watchOutlivesThePool { try await pool.stop(progress) }
    }

    func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents {
        var contents = try await pool.scan(known)
        switch flaw {
        case .forgetsKey: for name in contents.volumes.keys { contents.volumes[name]?.key += "-\(UInt64.random(in: 0 ... .max))" }
        case .believesWhatIsKnown: contents.volumes.merge(known) { _, known in known }
        default: break
        }
        return contents
    }

    func build(overwrite: Bool, _ progress: Progress) async throws(StorageError) { try await pool.build(overwrite: overwrite, progress) }

    func delete(_ progress: Progress) async throws(StorageError) {
        if flaw == .deletesFullPools { for name in pool.disk.volumes.keys { pool.disk.remove(name) } }
        try await pool.delete(progress)
    }

    func movesData(_ request: VolumeRequest) -> Bool { pool.movesData(request) }

    func create(_ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Volume {
        var request = request
        switch flaw {
        case .replaces: pool.disk.remove(request.name)
        case .losesNames: request.name = request.name.filter(\.isASCII)
        case .ignoresCancel: return try await pool.create(request, .ignored())
        case .forgetsJournal:
            return try await pool.create(request, Progress(report: progress.forward, journal: { (_) async throws(StorageError) in }))
        case .showsPartial where pool.movesData(request): pool.disk.put(request.name, capacity: 1)
        default: break
        }
        let name = request.name
        do throws(StorageError) {
            var volume: Volume
            if flaw == .showsPartial, pool.movesData(request) {
                request.name += "-hidden"
                volume = try await pool.create(request, progress)
                pool.disk.remove(name)
                pool.disk.rename(request.name, to: name)
                volume.name = name
                volume.path = pool.targetPath + "/" + name
            } else {
                volume = try await pool.create(request, progress)
            }
            if flaw == .sharesKeys { volume.key = "same" }
            return volume
        } catch {
            if flaw == .leavesHalf { pool.disk.put(name, capacity: 1) }
            if flaw == .wrongErrorCode { throw StorageError(.failed, "Volume \(name) could not be made.") }
            throw error
        }
    }

    func delete(_ volume: Volume, _ progress: Progress) async throws(StorageError) {
        try await pool.delete(flaw == .deletesByName ? pool.disk.volumes[volume.name] ?? volume : volume, progress)
    }

    func resize(
        _ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress
    ) async throws(StorageError) -> Volume {
        let allow = allowShrink || flaw == .shrinksAnyway
        return try await pool.resize(volume, to: capacity, allowShrink: allow, allocate: allocate, progress)
    }

    func rename(_ volume: Volume, to name: String) async throws(StorageError) -> Volume {
        if flaw == .renameReplaces { pool.disk.remove(name) }
        return try await pool.rename(volume, to: name)
    }

    func setPermissions(_ volume: Volume, _ permissions: Permissions) async throws(StorageError) -> Volume {
        try await pool.setPermissions(volume, flaw == .ignoresMode && permissions.mode == 0o604 ? Permissions() : permissions)
    }
}

extension FlawedPool: VolumeOpening, EntryLooking, SpaceMeasuring, Watching, Recovering {
    func open(_ volume: Volume, read: Bool, write: Bool) async throws(StorageError) -> Int32 {
        try await pool.open(volume, read: read, write: write || (flaw == .opensTooMuch && read))
    }

    func look(at names: Set<String>) async throws(StorageError) -> [String: Entry] { try await pool.look(at: names) }
    func measure() async throws(StorageError) -> Space { try await pool.measure() }

    func watch() async throws(StorageError) -> (kind: WatchKind, changes: AsyncStream<Change>) {
        flaw == .silentWatch ? (.inotify, AsyncStream { _ in }) : try await pool.watch()
    }

    func recover(_ notes: [String]) async throws(StorageError) -> Bool {
        try await pool.recover(notes) || flaw == .recoversAnything
    }
}

extension Progress {
    /// Repeats what another operation's progress says.
    fileprivate func forward(_ report: Report) {
        switch report {
        case .phase(let name, let cancellable): phase(name, cancellable: cancellable)
        case .total(let bytes): total(bytes)
        case .advance(let bytes): advance(bytes)
        case .result(let key, let value): result(key, value)
        }
    }
}
