// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
public import EventLoop

/// The pool types there are. The only place that names them all.
public enum BackendTable {
    /// How many threads one pool may occupy.
    private static let laneWidth = 2

    /// Every type that can be defined, by name; those that cannot be used say why.
    ///
    /// - Parameters:
    ///   - workers: threads for what blocks; each pool has a bounded share of them.
    ///   - owner: tells this installation from others that may see the same directories; letters and digits.
    ///   - simulate: whether there are pools without storage too, for tests and demonstrations.
    public static func types(workers: Workers, owner: String, simulate: Bool) -> [String: PoolType] {
        let drafts = Drafts(owner: owner)
        let inotify = Inotify()
        let observers = FilesystemPool.Observers(devices: DeviceWatch(), mounts: MountWatch())
        var types = [directory(workers, inotify, drafts), filesystem(workers, inotify, drafts, observers)]
        if simulate { types.append(SimulatedPool.type) }
        let present = Dictionary(uniqueKeysWithValues: types.map { ($0.name, $0) })
        let absent = PoolModel.all.mapValues { PoolType.absent($0.type, because: "this version of Cistern has no backend for it") }
        return present.merging(absent) { present, _ in present }
    }

    private static func directory(_ workers: Workers, _ inotify: Inotify, _ drafts: Drafts) -> PoolType {
        PoolType(
            name: "dir", backend: DirectoryPool.self, volumeFormats: DirectoryPool.creatableFormats
        ) { definition throws(StorageError) in
            try DirectoryPool(definition, lane: workers.lane(definition.name, width: laneWidth), inotify: inotify, drafts: drafts)
        }
    }

    /// A directory, too, once the file system is mounted.
    private static func filesystem(
        _ workers: Workers, _ inotify: Inotify, _ drafts: Drafts, _ observers: FilesystemPool.Observers
    ) -> PoolType {
        PoolType(
            name: "fs", backend: DirectoryPool.self, reason: FilesystemPool.absence, volumeFormats: DirectoryPool.creatableFormats,
            findSources: { (place, timeout) async throws(StorageError) in
                let blocking = Blocking(lane: workers.lane("sources", width: laneWidth), place: "list of devices", patience: timeout)
                return try await FilesystemSources.find(place, on: blocking)
            }
        ) { definition throws(StorageError) in
            try DirectoryPool(definition, lane: workers.lane(definition.name, width: laneWidth), inotify: inotify, drafts: drafts) {
                (path, blocking) throws(StorageError) in
                try FilesystemPool(definition, targetPath: path, blocking: blocking, observers: observers)
            }
        }
    }
}
