// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// Which volume stands on which, over all pools. Safe on any thread.
///
/// Knows only what active pools have in their lists. What an image names outside of them is never looked at: it could be a device
/// that reacts, or on a server that does not answer.
final class BackingChains: Sendable {
    private struct State {
        /// Active pools by the directory of their volumes.
        var pools: [String: [Pool]] = [:]
        /// Backing paths of the volumes that have one.
        var backing: [VolumeReference: String] = [:]
        /// The other way round.
        var overlays: [String: Set<VolumeReference>] = [:]
    }

    /// A chain that is longer is taken for endless.
    private static let limit = 256

    private let state = Mutex(State())

    // MARK: - Pools

    /// From now on the pool's list tells what is in its directory.
    ///
    /// - Returns: volumes of all pools whose chain may be another now.
    func open(_ pool: Pool) -> Set<VolumeReference> {
        let directory = pool.snapshot.targetPath
        if directory.isEmpty { return [] }
        return state.withLock { state in
            if state.pools[directory]?.contains(where: { $0 === pool }) == true { return [] }
            state.pools[directory, default: []].append(pool)
            return Self.overlays(below: directory, in: state)
        }
    }

    /// The pool's directory is nobody's any more.
    func close(_ pool: Pool) -> Set<VolumeReference> {
        let directory = pool.snapshot.targetPath
        return state.withLock { state in
            state.pools[directory]?.removeAll { $0 === pool }
            if state.pools[directory]?.isEmpty == true { state.pools[directory] = nil }
            return Self.overlays(below: directory, in: state)
        }
    }

    private static func overlays(below directory: String, in state: State) -> Set<VolumeReference> {
        var affected: Set<VolumeReference> = []
        for (path, overlays) in state.overlays where split(path)?.directory == directory { affected.formUnion(overlays) }
        return descendants(of: affected, in: state)
    }

    // MARK: - Volumes

    /// Notes what changed in a pool's list.
    ///
    /// - Returns: volumes of all pools whose chain may be another now.
    func note(_ changes: [VolumeChange], in pool: Pool) -> Set<VolumeReference> {
        let directory = pool.snapshot.targetPath
        return state.withLock { state in
            var affected: Set<VolumeReference> = []
            for change in changes {
                let volume = change.volume
                if state.overlays.isEmpty, volume?.backingPath.isEmpty != false { continue }
                let reference = VolumeReference(pool: pool.name, name: change.name)
                let before = state.backing[reference] ?? ""
                let now = volume?.backingPath ?? ""
                if before != now {
                    Self.move(reference, from: before, to: now, in: &state)
                    affected.formUnion([before, now].compactMap { Self.owner(of: $0, in: state) })
                }
                if !now.isEmpty { affected.insert(reference) }
                let path = volume?.path ?? ""
                for path in Set([path, Self.joined(directory, change.name)]) { affected.formUnion(state.overlays[path] ?? []) }
                // It may have got its place in the list after the volumes that stand on it.
                if state.overlays[path] != nil { affected.insert(reference) }
            }
            return affected.isEmpty ? [] : Self.descendants(of: affected, in: state)
        }
    }

    private static func move(_ reference: VolumeReference, from: String, to: String, in state: inout State) {
        state.backing[reference] = to.isEmpty ? nil : to
        if !from.isEmpty {
            state.overlays[from]?.remove(reference)
            if state.overlays[from]?.isEmpty == true { state.overlays[from] = nil }
        }
        if !to.isEmpty { state.overlays[to, default: []].insert(reference) }
    }

    /// Those given, and all that stand on them.
    private static func descendants(of given: Set<VolumeReference>, in state: State) -> Set<VolumeReference> {
        var all = given
        var open = Array(given)
        while let reference = open.popLast() {
            guard let pool = state.pools.values.joined().first(where: { $0.name == reference.pool }),
                let path = pool.volume(reference.name)?.path
            else { continue }
            for overlay in state.overlays[path] ?? [] where all.insert(overlay).inserted { open.append(overlay) }
        }
        return all
    }

    // MARK: - Looking up

    /// The volume of an active pool at a path.
    func volume(at path: String) -> VolumeReference? { state.withLock { Self.owner(of: path, in: $0) } }

    private static func owner(of path: String, in state: State) -> VolumeReference? {
        guard let (directory, name) = split(path) else { return nil }
        for pool in state.pools[directory] ?? [] where pool.volume(name)?.path == path {
            return VolumeReference(pool: pool.name, name: name)
        }
        return nil
    }

    /// How the volume stands to others; nil if it stands alone.
    func chain(of volume: Volume, in pool: String) -> BackingChain? {
        let (dependents, pools) = state.withLock { ($0.overlays[volume.path] ?? [], $0.pools) }
        if dependents.isEmpty, volume.backingPath.isEmpty { return nil }
        let backing = volume.backingPath.isEmpty ? nil : self.volume(at: volume.backingPath)
        let problem = volume.backingPath.isEmpty ? "" : Self.problem(of: volume, pools)
        return BackingChain(backing: backing, dependents: dependents.sorted(), problem: problem)
    }

    /// Follows the lists of active pools, never the images.
    private static func problem(of volume: Volume, _ pools: [String: [Pool]]) -> String {
        var seen = [volume.path]
        var path = volume.backingPath
        while seen.count <= limit {
            if seen.contains(path) {
                return path == volume.path && seen.count == 1
                    ? "it is its own backing file" : "its backing files go round in a circle: \((seen + [path]).joined(separator: " → "))"
            }
            guard let (directory, name) = split(path), let owners = pools[directory], let owner = owners.first else { return "" }
            guard let backing = owners.lazy.compactMap({ $0.volume(name) }).first else {
                let what = seen.count == 1 ? "its backing file \(path)" : "\(path), which its backing file needs,"
                return owner.skippedReason(name).map { "\(what) cannot be used: \($0)" } ?? "\(what) is missing"
            }
            if backing.state == .error { return "its backing file \(path) cannot be used: \(backing.stateReason)" }
            if backing.backingPath.isEmpty { return "" }
            seen.append(path)
            path = backing.backingPath
        }
        return "it has more than \(limit) backing files"
    }

    private static func split(_ path: String) -> (directory: String, name: String)? {
        guard path.utf8.first == UInt8(ascii: "/"), let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let name = path[path.utf8.index(after: slash)...]
        return name.isEmpty ? nil : (slash == path.startIndex ? "/" : String(path[..<slash]), String(name))
    }

    private static func joined(_ directory: String, _ name: String) -> String { directory == "/" ? "/" + name : directory + "/" + name }
}

extension VolumeChange {
    /// The volume's name.
    var name: String {
        switch self {
        case .added(let volume), .changed(let volume): volume.name
        case .removed(let name): name
        }
    }

    /// What it is now; nil if it is gone.
    var volume: Volume? {
        switch self {
        case .added(let volume), .changed(let volume): volume
        case .removed: nil
        }
    }
}
