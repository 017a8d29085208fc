// SPDX-License-Identifier: LGPL-2.1-or-later

/// Where a pool is in its life.
public enum PoolState: String, Sendable {
    case inactive, starting, active, degraded, waiting, unavailable, stopping

    /// Whether volumes can be worked on.
    public var isActive: Bool { self == .active || self == .degraded }

    /// Whether the pool was started, and what it stands on is not there: not yet, or not any more.
    public var isAway: Bool { self == .waiting || self == .unavailable }
}

/// How a pool learns of changes made behind its back.
public enum WatchKind: String, Sendable { case inotify, udev, poll, none }

/// Bytes in a pool; ``unknownSize`` where nobody knows.
public struct Space: Sendable, Hashable {
    public var capacity: UInt64
    public var allocation: UInt64
    public var available: UInt64

    /// Bytes in all, in use, and free for unprivileged writers.
    public init(capacity: UInt64, allocation: UInt64, available: UInt64) {
        self.capacity = capacity
        self.allocation = allocation
        self.available = available
    }

    /// A pool that cannot be measured.
    public static let unknown = Space(capacity: unknownSize, allocation: unknownSize, available: unknownSize)
}

/// An entry that cannot be a volume, and why.
public struct SkippedEntry: Sendable, Hashable {
    /// The entry's name; bytes that are not UTF-8 are shown as \xNN.
    public let entry: String
    /// One clause: "a socket", "a symbolic link".
    public let reason: String

    /// An entry and the reason it is no volume.
    public init(entry: String, reason: String) {
        self.entry = entry
        self.reason = reason
    }
}

/// Everything the outside may know of a pool at one moment, except its volumes.
public struct PoolSnapshot: Sendable, Hashable {
    public var definition: PoolDefinition
    public var state: PoolState = .inactive
    /// Why the state is not what was asked for; empty when it is.
    public var stateReason = ""
    /// Microseconds since the epoch.
    public var stateSince: UInt64 = 0
    public var warnings: [String] = []
    public var autostart = false
    /// Whether the definition is on disk.
    public var persistent = true
    public var space: Space = .unknown
    /// Sum of the volumes' capacities in bytes.
    public var provisioned: UInt64 = 0
    public var volumeCount: UInt32 = 0
    /// Directory or mount point that the volumes are reached through; empty if there is none.
    public var targetPath = ""
    /// Operation to "" (possible) or the reason why not.
    public var capabilities: [Operation: String] = [:]
    public var watch: WatchKind = .none
    /// Microseconds since the epoch; 0 before the first scan.
    public var lastScan: UInt64 = 0
    /// The first hundred.
    public var skipped: [SkippedEntry] = []
    public var skippedCount: UInt32 = 0
    public var details: [String: Value] = [:]

    /// An inactive pool of which nothing but its definition is known.
    public init(definition: PoolDefinition) {
        self.definition = definition
    }
}
