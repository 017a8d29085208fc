// SPDX-License-Identifier: LGPL-2.1-or-later

/// What a scan found.
public struct Contents: Sendable {
    /// By name.
    public var volumes: [String: Volume]
    /// Entries that cannot be volumes; all of them.
    public var skipped: [String: String]
    public var space: Space
    /// Per type: percentages of a thin pool, free extents ...
    public var details: [String: Value]

    /// What a scan found: volumes by name, skipped entries with their reasons, space.
    public init(
        volumes: [String: Volume] = [:], skipped: [String: String] = [:], space: Space = .unknown, details: [String: Value] = [:]
    ) {
        self.volumes = volumes
        self.skipped = skipped
        self.space = space
        self.details = details
    }
}

/// What one entry of a pool is.
public enum Entry: Sendable, Hashable {
    case volume(Volume)
    /// It cannot be a volume, and why.
    case skipped(String)
    case absent
}

/// Something that happened to a pool behind our back.
public enum Change: Sendable, Hashable {
    /// This entry appeared, went, or is another now.
    case entry(String)
    /// An entry appeared under the second name that was known by the first; the object may be the same.
    case renamed(String, String)
    /// Too much happened to tell: scan.
    case everything
    /// What the pool stands on went away, and why.
    case lost(String)
}
