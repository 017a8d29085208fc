// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc
import Images

extension DirectoryPool: EntryLooking, SpaceMeasuring {
    /// How many entries are looked at in one turn on the lane: some milliseconds' work.
    private static let batch = 1024
    /// How many batches are looked at side by side; the lane allows no more.
    private static let width = 2

    public func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents {
        let (place, entries) = try await blocking.run(self.action("scan", nil)) { [self] in
            let place = try openPlace()
            let entries = try place.directory.entries()
            drafts.sweep(entries, of: place.directory)
            return (place, entries)
        }
        let before = Memory(known: known, stamps: state.withLock { $0.stamps })
        let batches = try await look(at: entries, in: place, before)
        let space = try await blocking.run(self.action("scan", nil)) {
            defer { place.directory.close() }
            try self.requireLiving(place.directory)
            return try place.directory.measure()
        }
        let tally = Tally(batches, before)
        state.withLock { state in
            state.stamps = tally.stamps
            state.sharedNames = tally.sharedNames
            state.extents = tally.extents
        }
        return Contents(volumes: tally.volumes, skipped: tally.skipped, space: space, details: place.details)
    }

    /// On the lane: refuses a file system that has given up since the pool was started, and of which only memory can still be read.
    private func requireLiving(_ directory: Directory) throws {
        guard state.withLock({ $0.tookChanges }) else { return }
        do throws(Errno) { try directory.requireLiving() } catch {
            throw StorageError(
                .failed,
                "Directory \(targetPath) of pool \(definition.name) takes no changes any more: \(error.text); look into the kernel's log, then stop the pool, repair the file system, and start it."
            )
        }
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
                                    var buffer = [UInt8](repeating: 0, count: Self.headerSize)
                                    for entry in part { try examine(entry, in: place, before, &buffer, into: &batch) }
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

    public func look(at names: Set<String>) async throws(StorageError) -> [String: Entry] {
        try await blocking.run(self.action("look at \(names.count) entries of", nil)) { [self] in
            let place = try openPlace()
            defer { place.directory.close() }
            var buffer = [UInt8](repeating: 0, count: Self.headerSize)
            var entries: [String: Entry] = [:]
            for name in names { entries[name] = try look(at: name, in: place, &buffer) }
            return entries
        }
    }

    /// On the lane: what an entry is now.
    private func look(at name: String, in place: Place, _ buffer: inout [UInt8]) throws -> Entry {
        var batch = Batch()
        let entry = DirectoryEntry(name: name, inode: 0, kind: UInt8(DT_UNKNOWN), isText: true)
        try examine(entry, in: place, Memory(known: [:], stamps: [:]), &buffer, into: &batch)
        if let found = batch.found.first {
            guard let reason = try skipReason(name, found, in: place) else {
                state.withLock { state in
                    state.stamps[name] = found.stamp
                    for extent in found.extents { state.extents[extent] = name }
                }
                return .volume(found.volume)
            }
            batch.skipped = [(name, reason)]
        }
        state.withLock { $0.stamps[name] = nil }
        return batch.skipped.first.map { .skipped($0.reason) } ?? .absent
    }

    public func measure() async throws(StorageError) -> Space {
        try await blocking.run(self.action("measure", nil)) { [self] in try openPlace().directory.measure() }
    }

    // MARK: - One entry

    /// On the lane: what an entry is, by its type alone where the directory tells it. Opens nothing but regular files.
    ///
    /// - Parameter buffer: overwritten.
    private func examine(
        _ entry: DirectoryEntry, in place: Place, _ before: Memory, _ buffer: inout [UInt8], into batch: inout Batch
    ) throws {
        if entry.name.hasPrefix(reservedPrefix) { return }
        if !entry.isText { return batch.skip(entry, "its name is not UTF-8") }
        if let clause = entry.typeClause { return skip(entry, clause, into: &batch) }
        do throws(Errno) {
            let status = try place.directory.status(of: entry.name)
            if let reason = status.refusal { return skip(entry, reason, into: &batch) }
            // What is known costs this one system call.
            if status.links == 1, before.isUnchanged(entry.name, Stamp(status)) { return batch.addUnchanged(entry.name) }
            if let reason = Self.refusal(of: entry.name) { return batch.skip(entry, reason) }
            if state.withLock({ $0.undurable.contains(status.identity) }) { return batch.skip(entry, SkipReason.undurable) }
            if try takeEmpty(entry, status, in: place, into: &batch) { return }
            try read(entry, status, in: place, before, &buffer, into: &batch)
        } catch {
            switch error.code {
            case ENOENT: return
            case EACCES, EPERM, ENAMETOOLONG, ELOOP, EINVAL, EUCLEAN, EBADMSG, EIO, ENODATA, EREMOTEIO, EOVERFLOW, ENXIO, ENODEV:
                return batch.skip(entry, "unreadable: \(error.text)")
            default: throw error
            }
        }
    }

    /// Notes that an entry is no volume, unless a file system came with it.
    private func skip(_ entry: DirectoryEntry, _ reason: String, into batch: inout Batch) {
        if ground == nil || entry.name != FilesystemKind.ownDirectory { batch.skip(entry, reason) }
    }

    /// Larger than any file whose data lies where no blocks are counted.
    private static let inlineLimit: UInt64 = 65536

    /// On the lane: a file that has no block has nothing to be read.
    ///
    /// - Returns: false if it must be opened after all.
    private func takeEmpty(_ entry: DirectoryEntry, _ status: FileStatus, in place: Place, into batch: inout Batch) throws(Errno) -> Bool {
        guard place.keys.filesystem.tellsHoles, status.allocation == 0, status.size > Self.inlineLimit, Image.isHeaderFirst(entry.name)
        else {
            return false
        }
        let declared: String?
        do throws(Errno) { declared = try place.directory.attribute(Self.formatAttribute, of: entry.name) } catch {
            if error.code == ENOSYS || error.code == EOPNOTSUPP { return false }
            throw error
        }
        guard declared == nil || declared == "raw" else { return false }
        let key = try place.keys.key(of: entry.name, in: place.directory, status)
        batch.add(volume(entry.name, status, key: key, place, declared == nil ? .probedRaw : .declaredRaw), status, extents: [])
        return true
    }

    /// On the lane: looks into a file. One that came in its place meanwhile is told of by inotify, or differs at the next scan.
    private func read(
        _ entry: DirectoryEntry, _ status: FileStatus, in place: Place, _ before: Memory, _ buffer: inout [UInt8],
        into batch: inout Batch
    ) throws(Errno) {
        let file: File
        do throws(Errno) { file = try place.directory.open(entry.name) } catch {
            guard error.code == EWOULDBLOCK else { throw error }
            return try takeUnread(entry, status, in: place, before, into: &batch)
        }
        let image = try probe(file, entry.name, status, &buffer)
        let key = try place.keys.key(of: file, status)
        batch.add(
            volume(entry.name, status, key: key, place, image), status, extents: Self.ownExtents(of: entry.name, image.header.extents))
    }

    /// On the lane: a file that somebody has a lease on, and that would have to be waited for. Its format is what it was.
    private func takeUnread(
        _ entry: DirectoryEntry, _ status: FileStatus, in place: Place, _ before: Memory, into batch: inout Batch
    ) throws(Errno) {
        let key = try place.keys.key(of: entry.name, in: place.directory, status)
        var volume = volume(entry.name, status, key: key, place, .unknown)
        if let known = before.known[entry.name], known.key == key { volume.take(imageOf: known) }
        batch.add(volume, status, extents: [], isRead: false)
    }

    /// Why the name could not be a volume's.
    private static func refusal(of name: String) -> String? {
        // Nearly every name is plain ASCII; that is decided without looking at scalars' properties.
        if name.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return nil }
        do throws(StorageError) { try checkName(name, of: "volume") } catch { return "its name contains control characters" }
        return nil
    }

    /// Why a name that was looked at alone is no volume's: the file, or the name as people read it, belongs to another already.
    private func skipReason(_ name: String, _ found: Batch.Found, in place: Place) throws -> String? {
        let (stamps, owner) = state.withLock { ($0.stamps, $0.extents[name]) }
        if let owner, (try? place.directory.status(of: owner)) != nil { return SkipReason.extent(of: owner) }
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

extension FileStatus {
    /// Why it is no volume's file; nil if it could be one.
    fileprivate var refusal: String? { isRegular ? (isMountPoint ? "a mount point" : nil) : typeClause }
}

extension Volume {
    /// Takes over what the file said of itself when it could be read.
    fileprivate mutating func take(imageOf known: Volume) {
        format = known.format
        formatSource = known.formatSource
        capacity = known.format == "raw" ? physical : known.capacity
        backingPath = known.backingPath
        encryption = known.encryption
        details = known.details
        state = known.state
        stateReason = known.stateReason
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
