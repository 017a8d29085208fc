// SPDX-License-Identifier: LGPL-2.1-or-later

/// What a volume stands on, and what stands on it: found out by the engine, across all pools.
///
/// A class, since few volumes have one and a list of many volumes should not grow by it; nothing of it ever changes.
public final class BackingChain: Sendable, Hashable {
    /// The volume at the backing path; nil if there is none, or none of an active pool.
    public let backing: VolumeReference?
    /// Volumes that are overlays of this one, in the order of their pools and names.
    public let dependents: [VolumeReference]
    /// Why the chain cannot be used; empty if nothing is known against it.
    public let problem: String

    init(backing: VolumeReference?, dependents: [VolumeReference], problem: String) {
        self.backing = backing
        self.dependents = dependents
        self.problem = problem
    }

    public static func == (left: BackingChain, right: BackingChain) -> Bool {
        left === right || left.backing == right.backing && left.dependents == right.dependents && left.problem == right.problem
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(backing)
        hasher.combine(dependents)
    }
}

/// Names a volume among all pools.
public struct VolumeReference: Sendable, Hashable, Comparable {
    public let pool: String
    public let name: String

    /// A name in a pool; whether there is such a volume is not asked.
    public init(pool: String, name: String) {
        self.pool = pool
        self.name = name
    }

    public static func < (left: VolumeReference, right: VolumeReference) -> Bool {
        left.pool == right.pool
            ? left.name.utf8.lexicographicallyPrecedes(right.name.utf8) : left.pool.utf8.lexicographicallyPrecedes(right.pool.utf8)
    }
}
