// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop

/// The storage of simulated pools: a dictionary, with faults and slowness to order. Outlives the pools on it, as a disk does.
public final class SimulatedDisk: Sendable {
    /// A failure to come.
    public struct Fault: Sendable, Hashable {
        public var code: StorageError.Code
        /// How much of the data is moved before it comes.
        public var afterBytes: UInt64
        /// How often it comes; nil for ever.
        public var times: Int?

        public init(_ code: StorageError.Code, afterBytes: UInt64 = 0, times: Int? = nil) {
            self.code = code
            self.afterBytes = afterBytes
            self.times = times
        }
    }

    /// How the disk behaves.
    public struct Behaviour: Sendable {
        /// Bytes it holds.
        public var capacity: UInt64 = 1 << 40
        /// Bytes a second; nil for as fast as it goes.
        public var throttle: UInt64?
        /// How long each operation takes before it does anything.
        public var delays: [Operation: Duration] = [:]
        /// How long an operation takes that is not in `delays`.
        public var delay: Duration = .zero
        public var faults: [Operation: Fault] = [:]
        /// Operations that the pool says it cannot do, and why.
        public var limits: [Operation: String] = [:]
        /// Whether it can be watched; otherwise ``Watching/watch()`` fails with `limitsExceeded`.
        public var canBeWatched = true

        public init() {}
    }

    struct State {
        var behaviour = Behaviour()
        var isBuilt = true
        var lossReason: String?
        var volumes: [String: Volume] = [:]
        /// What is opened, by key: made when first needed.
        var contents: [String: MemoryFile] = [:]
        var skipped: [String: String] = [:]
        /// Bytes promised to volumes that are being made.
        var promised: UInt64 = 0
        var lastNumber: UInt64 = 0
        var watches: [WeakQueue] = []
    }

    struct WeakQueue { weak var queue: ChangeQueue? }

    /// Textual and unique: part of the volumes' keys.
    public let identity: String
    let state = Locked(State())

    /// An empty disk.
    public init(identity: String = randomIdentity()) { self.identity = identity }

    /// A new identity.
    public static func randomIdentity() -> String { hex(UInt64.random(in: .min ... .max)) }

    /// Changes how the disk behaves from now on.
    public func behave(_ change: @Sendable (inout Behaviour) -> Void) { state.withLock { change(&$0.behaviour) } }

    // MARK: - What happens behind the pool's back

    /// A file appears, or takes the place of another one.
    public func put(_ name: String, capacity: UInt64 = 1 << 20) {
        state.withLock { state in
            var volume = Volume(name: name)
            volume.capacity = capacity
            volume.physical = capacity
            volume.allocation = 0
            volume.mode = 0o644
            Self.place(volume, key: newKey(&state), &state)
        }
        tell(.entry(name))
    }

    /// A file disappears.
    public func remove(_ name: String) {
        state.withLock { _ = $0.volumes.removeValue(forKey: name) }
        tell(.entry(name))
    }

    /// A file gets another name.
    public func rename(_ old: String, to new: String) {
        state.withLock { state in
            guard var volume = state.volumes.removeValue(forKey: old) else { return }
            volume.name = new
            state.volumes[new] = volume
        }
        tell(.renamed(old, new))
    }

    /// Something appears that is no volume.
    public func putSkipped(_ entry: String, _ reason: String) {
        state.withLock { $0.skipped[entry] = reason }
        tell(.entry(entry))
    }

    /// The disk goes away, until ``comeBack()``.
    public func lose(_ reason: String) {
        state.withLock { $0.lossReason = reason }
        tell(.lost(reason))
    }

    /// The disk is there again.
    public func comeBack() { state.withLock { $0.lossReason = nil } }

    /// Tells every watcher.
    public func tell(_ change: Change) {
        let queues = state.withLock { $0.watches.compactMap(\.queue) }
        for queue in queues { queue.put(change) }
    }

    /// What is on the disk.
    public var volumes: [String: Volume] { state.withLock { $0.volumes } }

    // MARK: - For the pool

    func newKey(_ state: inout State) -> String {
        state.lastNumber += 1
        return "simulated:\(identity):\(state.lastNumber)"
    }

    static func place(_ volume: Volume, key: String, _ state: inout State) {
        var volume = volume
        volume.key = key
        volume.format = "raw"
        volume.modifyTime = wallClock()
        volume.birthTime = volume.modifyTime
        state.volumes[volume.name] = volume
    }

    /// Bytes now.
    func space(_ state: State) -> Space {
        let used = state.volumes.values.reduce(state.promised) { $0 &+ $1.allocation }
        let capacity = state.behaviour.capacity
        return Space(capacity: capacity, allocation: min(used, capacity), available: capacity - min(used, capacity))
    }
}
