// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
public import EventLoop

/// The pool types there are. The only place that names them all.
public enum BackendTable {
    /// How many threads one pool may occupy.
    private static let laneWidth = 2

    /// Every type that this build knows, by name.
    ///
    /// - Parameters:
    ///   - workers: threads for what blocks; each pool has a bounded share of them.
    ///   - owner: tells this installation from others that may see the same directories; letters and digits.
    ///   - simulate: whether there are pools without storage too, for tests and demonstrations.
    public static func types(workers: Workers, owner: String, simulate: Bool) -> [String: PoolType] {
        var types = [directory(workers, Drafts(owner: owner))]
        if simulate { types.append(SimulatedPool.type) }
        return Dictionary(uniqueKeysWithValues: types.map { ($0.name, $0) })
    }

    private static func directory(_ workers: Workers, _ drafts: Drafts) -> PoolType {
        let inotify = Inotify()
        return PoolType(
            name: "dir", backend: DirectoryPool.self, volumeFormats: DirectoryPool.creatableFormats,
            settings: ["target.path": "s", "target.mode": "u", "target.owner": "u", "target.group": "u", "volume.format": "s"],
            required: ["target.path"]
        ) { definition throws(StorageError) in
            try DirectoryPool(definition, lane: workers.lane(definition.name, width: laneWidth), inotify: inotify, drafts: drafts)
        }
    }
}
