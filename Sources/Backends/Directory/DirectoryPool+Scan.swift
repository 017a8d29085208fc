// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc

extension DirectoryPool: EntryLooking, SpaceMeasuring {
    /// How many entries are looked at in one turn on the lane: some milliseconds' work.
    private static let batch = 1024
    /// How many batches are looked at side by side; the lane allows no more.
    private static let width = 2

    public func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents {
        let (place, entries) = try await blocking.run(self.action("scan", nil)) { [self] in
            let place = try openPlace()
            return (place, try place.directory.entries())
        }
        let before = Memory(known: known, stamps: state.withLock { $0.stamps })
        let batches = try await look(at: entries, in: place, before)
        let space = try await blocking.run(self.action("scan", nil)) {
            defer { place.directory.close() }
            return try place.directory.measure()
        }
        let tally = Tally(batches, before)
        state.withLock { state in
            state.stamps = tally.stamps
            state.sharedNames = tally.sharedNames
        }
        return Contents(volumes: tally.volumes, skipped: tally.skipped, space: space, details: place.details)
    }

    /// Looks at all entries, in as many strands as the lane runs.
    private func look(at entries: [DirectoryEntry], in place: Place, _ before: Memory) async throws(StorageError) -> [Batch] {
        do {
            return try await withThrowingTaskGroup(of: [Batch].self) { group in
                for strand in 0..<Self.width {
                    group.addTask { [self] in
                        var batches: [Batch] = []
                        for start in stride(from: strand * Self.batch, to: entries.count, by: Self.width * Self.batch) {
                            let part = entries[start..<min(start + Self.batch, entries.count)]
                            batches.append(
                                try await blocking.run(self.action("scan", nil)) { [self] in
                                    var batch = Batch()
                                    for entry in part { try examine(entry, in: place, before, into: &batch) }
                                    return batch
                                })
                        }
                        return batches
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.failed, "Cannot \(action("scan", nil)): \(error).")
        }
    }

    public func look(at name: String) async throws(StorageError) -> Entry {
        try await blocking.run(self.action("look at", name)) { [self] in
            let place = try openPlace()
            var batch = Batch()
            let entry = DirectoryEntry(name: name, inode: 0, kind: UInt8(DT_UNKNOWN), isText: true)
            try examine(entry, in: place, Memory(known: [:], stamps: [:]), into: &batch)
            if let found = batch.found.first {
                guard let reason = try skipReason(name, found, in: place) else {
                    state.withLock { $0.stamps[name] = found.stamp }
                    return .volume(found.volume)
                }
                batch.skipped = [(name, reason)]
            }
            state.withLock { $0.stamps[name] = nil }
            return batch.skipped.first.map { .skipped($0.reason) } ?? .absent
        }
    }

    public func measure() async throws(StorageError) -> Space {
        try await blocking.run(self.action("measure", nil)) { [self] in try openPlace().directory.measure() }
    }

    // MARK: - One entry

    /// On the lane: what an entry is, by its type alone where the directory tells it. Opens nothing.
    private func examine(_ entry: DirectoryEntry, in place: Place, _ before: Memory, into batch: inout Batch) throws {
        if entry.name.hasPrefix(reservedPrefix) { return }
        func skip(_ reason: String) { batch.skipped.append((entry.name, reason)) }
        if !entry.isText { return skip("its name is not UTF-8") }
        if let clause = entry.typeClause { return skip(clause) }
        let status: FileStatus
        do throws(Errno) { status = try place.directory.status(of: entry.name) } catch {
            switch error.code {
            case ENOENT: return
            case EACCES, EPERM, ENAMETOOLONG, ELOOP, EINVAL, EUCLEAN, EIO, EOVERFLOW: return skip("unreadable: \(error.text)")
            default: throw error
            }
        }
        guard status.isRegular else { return skip(status.typeClause) }
        if status.isMountPoint { return skip("a mount point") }
        let stamp = Stamp(status)
        if status.links == 1, before.isUnchanged(entry.name, stamp) { return batch.addUnchanged(entry.name) }
        if let reason = Self.refusal(of: entry.name) { return skip(reason) }
        do throws(Errno) {
            let key = try place.keys.key(of: entry.name, in: place.directory, status)
            batch.found.append(
                Batch.Found(
                    volume: volume(entry.name, status, key: key, place), stamp: stamp, identity: status.identity, links: status.links))
        } catch {
            if error.code != ENOENT { skip("unreadable: \(error.text)") }
        }
    }

    /// Why the name could not be a volume's.
    private static func refusal(of name: String) -> String? {
        // Nearly every name is plain ASCII; that is decided without looking at scalars' properties.
        if name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return nil }
        do throws(StorageError) { try checkName(name, of: "volume") } catch { return "its name contains control characters" }
        return nil
    }

    func volume(_ name: String, _ status: FileStatus, key: String, _ place: Place) -> Volume {
        var volume = Volume(name: name)
        volume.key = key
        volume.path = path(of: name)
        volume.format = "raw"
        volume.capacity = status.size
        volume.physical = status.size
        volume.allocation = status.allocation
        volume.mode = status.mode & 0o777
        volume.owner = status.owner
        volume.group = status.group
        volume.modifyTime = microseconds(status.modified)
        volume.birthTime = microseconds(status.born)
        volume.details = place.details
        return volume
    }

    /// Why a name that was looked at alone is no volume's: the file, or the name as people read it, belongs to another already.
    private func skipReason(_ name: String, _ found: Batch.Found, in place: Place) throws -> String? {
        let stamps = state.withLock { $0.stamps }
        if let index = stamps.index(forKey: name), !stamps[index].key.utf8.elementsEqual(name.utf8),
            (try? place.directory.status(of: stamps[index].key)) != nil
        {
            return SkipReason.sameAppearance
        }
        guard found.links > 1 else { return nil }
        let inode = found.identity.inode
        let names = try place.directory.entries().filter {
            $0.inode == inode && $0.isText && !$0.name.hasPrefix(reservedPrefix)
        }.map(\.name)
        guard names.count > 1 else { return nil }
        state.withLock { $0.sharedNames.formUnion(names) }
        let first = firstName(of: names) { stamps[$0]?.isOf(inode: inode) == true }
        return first == name ? nil : SkipReason.anotherName(of: first)
    }
}

extension DirectoryEntry {
    /// What it is, if the directory says so and it is no file.
    fileprivate var typeClause: String? {
        switch Int(kind) {
        case Int(DT_DIR): "a directory"
        case Int(DT_LNK): "a symbolic link"
        case Int(DT_SOCK): "a socket"
        case Int(DT_FIFO): "a named pipe"
        case Int(DT_CHR): "a character device"
        case Int(DT_BLK): "a block device"
        default: nil
        }
    }
}

extension Directory {
    /// Bytes of the file system.
    func measure() throws(Errno) -> Space {
        let space = try space()
        return Space(capacity: space.capacity, allocation: space.capacity - min(space.free, space.capacity), available: space.available)
    }
}

extension DirectoryPool.Place {
    private static let hostBound: [String: Value] = ["host-bound": .bool(true)]

    /// The same for the pool and all its volumes.
    var details: [String: Value] { keys.isHostBound ? Self.hostBound : [:] }
}
