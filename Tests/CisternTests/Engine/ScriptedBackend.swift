// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import Synchronization
import TestSupport
import Testing

/// A backend that does what the test says, when the test says so.
final class ScriptedBackend: Backend, VolumeCreating, VolumeResizing, VolumeRenaming, EntryLooking, SpaceMeasuring, Watching, Returning,
    Recovering
{
    struct Script {
        var volumes: [String: Volume] = [:]
        var skipped: [String: String] = [:]
        var identity = "1:1"
        var startError: StorageError?
        var scanError: StorageError?
        var createError: StorageError?
        var complete = false
        /// Names whose creation waits for ``letGo(_:)``.
        var held: Set<String> = []
        var waiting: [String: CheckedContinuation<Void, Never>] = [:]
        var changes: AsyncStream<Change>.Continuation?
        var mayReturn = true
        var hints: AsyncStream<Void>.Continuation?
        var space = Space(capacity: 1000, allocation: 100, available: 900)
        var starts = 0
        var isStarted = false
        var scans = 0
        var largest = 0
        var working = 0
    }

    let script = Mutex(Script())
    let targetPath = "/scripted"
    static let creatableFormats = ["raw"]

    static func type(_ backend: ScriptedBackend, name: String = "scripted") -> PoolType {
        PoolType(
            name: name, backend: ScriptedBackend.self, volumeFormats: ["raw"],
            settings: ["target.path": "s", "target.mode": "u"], required: ["target.path"]
        ) { _ in backend }
    }

    func change(_ body: (inout Script) -> Void) { script.withLock { body(&$0) } }
    /// It may be worth looking whether what the pool stands on is back; false if nobody wants to know.
    func hint() -> Bool {
        guard let hints = script.withLock({ $0.hints }) else { return false }
        hints.yield()
        return true
    }
    func mayReturn() async -> Bool { script.withLock { $0.mayReturn } }
    func hints() async -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        change { $0.hints = continuation }
        return stream
    }
    func tell(_ change: Change) { _ = script.withLock { $0.changes?.yield(change) } }

    /// How many were in ``alone()`` at once, at most.
    var largest: Int { script.withLock { $0.largest } }

    /// Whether something waits for ``letGo(_:)``.
    func holds(_ name: String) -> Bool { script.withLock { $0.waiting[name] != nil } }

    func letGo(_ name: String) {
        change { $0.held.remove(name) }
        letGoOnce(name)
    }

    /// Lets the one go that waits; the next one will wait, too.
    func letGoOnce(_ name: String) { script.withLock { $0.waiting.removeValue(forKey: name) }?.resume() }

    func start(_ progress: Progress) async throws(StorageError) -> String {
        let (error, identity) = script.withLock { script in
            script.starts += 1
            return (script.startError, script.identity)
        }
        if let error { throw error }
        await waitIfHeld("start")
        change { $0.isStarted = true }
        return identity
    }
    func stop(_ progress: Progress) async throws(StorageError) { change { $0.isStarted = false } }
    func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents {
        await waitIfHeld("scan")
        let (error, volumes, skipped, space) = script.withLock { script in
            script.scans += 1
            return (script.scanError, script.volumes, script.skipped, script.space)
        }
        if let error { throw error }
        return Contents(volumes: volumes, skipped: skipped, space: space)
    }

    func movesData(_ request: VolumeRequest) -> Bool { request.allocation != .sparse }
    func create(_ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Volume {
        progress.total(request.capacity)
        await waitIfHeld(request.name)
        try progress.checkCancelled()
        if let error = script.withLock({ $0.createError }) { throw error }
        progress.advance(request.capacity)
        try await progress.journal("made \(request.name)")
        let volume = Self.volume(request.name, request.capacity)
        change { $0.volumes[request.name] = volume }
        return volume
    }
    func delete(_ volume: Volume, _ progress: Progress) async throws(StorageError) {
        await alone()
        change { $0.volumes[volume.name] = nil }
    }
    func resize(_ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress)
        async throws(StorageError) -> Volume
    {
        var volume = volume
        volume.capacity = capacity
        change { $0.volumes[volume.name] = volume }
        return volume
    }
    func rename(_ volume: Volume, to name: String) async throws(StorageError) -> Volume {
        await alone()
        var renamed = volume
        renamed.name = name
        change { script in
            script.volumes[volume.name] = nil
            script.volumes[name] = renamed
        }
        return renamed
    }
    func look(at names: Set<String>) async throws(StorageError) -> [String: Entry] {
        let seen = script.withLock { script in
            Dictionary(uniqueKeysWithValues: names.map { ($0, script.volumes[$0].map { Entry.volume($0) } ?? .absent) })
        }
        await waitIfHeld("look")
        return seen
    }
    func measure() async throws(StorageError) -> Space { script.withLock { $0.space } }
    func watch() async throws(StorageError) -> (kind: WatchKind, changes: AsyncStream<Change>) {
        let (stream, continuation) = AsyncStream.makeStream(of: Change.self)
        change { $0.changes = continuation }
        return (.inotify, stream)
    }
    func recover(_ notes: [String]) async throws(StorageError) -> Bool { script.withLock { $0.complete } }

    private func waitIfHeld(_ name: String) async {
        await withCheckedContinuation { continuation in
            let held = script.withLock { script in
                guard script.held.contains(name) else { return false }
                script.waiting[name] = continuation
                return true
            }
            if !held { continuation.resume() }
        }
    }

    /// Notes how many are in here at once.
    private func alone() async {
        change { script in
            script.working += 1
            script.largest = max(script.largest, script.working)
        }
        for _ in 0..<20 { await Task.yield() }
        change { $0.working -= 1 }
    }

    static func volume(_ name: String, _ capacity: UInt64) -> Volume {
        var volume = Volume(name: name)
        volume.key = "key-" + name
        volume.path = "/scripted/" + name
        volume.format = "raw"
        volume.capacity = capacity
        volume.allocation = 0
        return volume
    }
}

/// An engine on scripted backends, its events, and time that passes when the test says so.
final class Bench: Sendable {
    let backend = ScriptedBackend()
    let definitions: MemoryDefinitions
    let journal: MemoryJournal
    let time = ManualTime()
    let engine: Engine

    init(definitions: MemoryDefinitions = .init(), journal: MemoryJournal = .init(), types: [PoolType] = []) {
        self.definitions = definitions
        self.journal = journal
        let all = [ScriptedBackend.type(backend)] + types
        engine = Engine(
            types: Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) }), definitions: definitions, journal: journal,
            environment: Environment(now: { [time] in time.now }, sleep: { [time] in await time.sleep($0) }))
    }

    /// A pool that is started, its first events taken.
    func startedPool(_ name: String = "p") async throws -> Pool {
        let pool = try await definedPool(name)
        try await finish(try await pool.start(by: 0))
        _ = engine.events.take()
        return pool
    }

    func definedPool(_ name: String = "p", type: String = "scripted", _ options: Engine.DefineOptions = .init()) async throws -> Pool {
        let definition = PoolDefinition(name: name, uuid: "", type: type, settings: ["target.path": .string("/scripted")])
        return try #require(try await engine.define(definition, options))
    }

    /// Releases a job, waits for it, throws its error.
    @discardableResult func finish(_ job: Job?) async throws -> JobSnapshot? {
        job?.release()
        let end = await job?.wait()
        if let error = end?.error { throw error }
        return end
    }
}

/// Time for tests: sleepers wake when the test advances it.
final class ManualTime: Sendable {
    private struct State {
        var now: UInt64 = 1_000_000
        var sleepers: [(until: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())

    var now: UInt64 { state.withLock { $0.now } }
    var sleepers: Int { state.withLock { $0.sleepers.count } }

    func sleep(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.sleepers.append(($0.now + UInt64(duration / .microseconds(1)), continuation)) }
        }
    }

    func advance(_ duration: Duration) {
        let due = state.withLock { state in
            state.now += UInt64(duration / .microseconds(1))
            let due = state.sleepers.filter { $0.until <= state.now }
            state.sleepers.removeAll { $0.until <= state.now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }
}
