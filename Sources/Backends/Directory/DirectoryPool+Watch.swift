// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc

extension DirectoryPool: Watching {
    public func watch() async throws(StorageError) -> (kind: WatchKind, changes: AsyncStream<Change>) {
        let place = try await blocking.run(self.action("watch", nil)) { [self] in
            let place = try openPlace()
            if try isShared(place.directory) {
                throw StorageError(.notSupported, "Directory \(targetPath) is on a file system that other hosts can change unseen.")
            }
            return place
        }
        let holder = Locked<Inotify.Watch?>(nil)
        let below = Locked<Task<Void, Never>?>(nil)
        let queue = ChangeQueue { [inotify] in
            below.withLock { $0 }?.cancel()
            Task { @LoopActor in
                if let watch = holder.withLock({ $0 }) { inotify.remove(watch) }
            }
        }
        let watch = try await inotify.add(place.directory, on: blocking, action("watch", nil)) { [weak self, weak queue] happening in
            guard let self, let queue else { return }
            for change in changes(happening) { queue.put(change) }
        }
        holder.withLock { $0 = watch }
        state.withLock { state in
            state.watches = state.watches.filter { $0.value.queue != nil }
            state.watches[ObjectIdentifier(queue)] = WeakQueue(queue: queue)
        }
        if let ground {
            let losses = await ground.losses()
            let task = Task { [weak queue] in
                for await why in losses { queue?.put(.lost(why)) }
            }
            below.withLock { $0 = task }
        }
        return (.inotify, queue.stream())
    }

    /// A queue that lives as long as its stream.
    struct WeakQueue { weak var queue: ChangeQueue? }

    func endWatches() async {
        let queues = state.withLock { state in
            defer { state.watches = [:] }
            return state.watches.values.compactMap(\.queue)
        }
        for queue in queues { queue.finish() }
    }

    private func isShared(_ directory: Directory) throws(Errno) -> Bool {
        let filesystem = FilesystemKind(try directory.space())
        // A FUSE file system without a disk below it is most often a network's.
        if filesystem.isFUSE { return try directory.status().identity.major == 0 }
        return filesystem.isShared
    }

    /// What consumers are told.
    private func changes(_ happening: Inotify.Happening) -> [Change] {
        switch happening {
        case .entry(let name):
            if name.hasPrefix(reservedPrefix) { return [] }
            drafts.forgetNameless(name)
            return [.entry(name)]
        case .touched(let name):
            if name.hasPrefix(reservedPrefix) || drafts.isNameless(name) { return [] }
            // What changes in an extent changes the volume that it belongs to.
            return ([name] + [owner(of: name)].compactMap { $0 }).map { .entry($0) }
        case .gone(let name):
            if name.hasPrefix(reservedPrefix) { return [] }
            // The file may live on under a name that was not shown so far.
            return isShared(name) ? [.everything] : [.entry(name)]
        case .renamed(let old, let new):
            if isShared(old) { return [.everything] }
            switch (old.hasPrefix(reservedPrefix), new.hasPrefix(reservedPrefix)) {
            case (false, false): return [.renamed(old, new)]
            case (true, false): return [.entry(new)]
            case (false, true): return [.entry(old)]
            case (true, true): return []
            }
        case .everything: return [.everything]
        case .lost(let why): return [.lost("Directory \(targetPath) \(why).")]
        }
    }

    private func owner(of extent: String) -> String? { state.withLock { $0.extents[extent] } }

    private func isShared(_ name: String) -> Bool { state.withLock { $0.sharedNames.contains(name) } }
}

extension DirectoryPool: Returning {
    public func mayReturn() async -> Bool { await ground?.mayReturn() ?? true }

    public func hints() async -> AsyncStream<Void> { await ground?.hints() ?? AsyncStream { _ in } }
}
