// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc

extension DirectoryPool {
    /// Bytes whose blocks are freed in no time.
    private static let quicklyFreed: UInt64 = 16 << 20

    public func delete(_ volume: Volume, _ progress: Progress) async throws(StorageError) {
        if movesData(deleting: volume) {
            let status = try await blocking.run(self.action("delete", volume.name)) { [self] in
                try self.reference(to: volume, in: try openPlace()).1
            }
            try await progress.journal(WorkNote(.delete, status, name: volume.name).line)
        }
        let extents = Self.extents(of: volume)
        let isSmall = volume.allocation <= Self.quicklyFreed
        let (place, reference, lease, isDurable) = try await blocking.run(self.action("delete", volume.name)) { [self] in
            let place = try openPlace()
            let (reference, status) = try self.reference(to: volume, in: place)
            let lease = try self.lease(reference, volume, excluding: .opening)
            guard try place.directory.status(of: volume.name).identity == status.identity else { throw gone(volume) }
            try place.directory.remove(volume.name)
            // They are nothing without it, and the next scan would take one that stays for a volume.
            for extent in extents { try? place.directory.remove(extent) }
            state.withLock { state in
                if !state.declared.isEmpty { state.declared[status.identity] = nil }
                for extent in extents { state.extents[extent] = nil }
            }
            // Closed before the sync: the last one to close the file is who gives its blocks back.
            if isSmall {
                lease.close()
                reference.close()
            }
            let isDurable = (try? syncs.syncAtOnce(nil, in: place.directory)) ?? false
            if isDurable { place.directory.close() }
            return (place, reference, lease, isDurable)
        }
        if !isDurable { try await syncs.sync(nil, in: place.directory, action("delete", volume.name)) { place.directory.close() } }
        if isSmall { return }
        // The last one to close the file waits until its blocks are free, which takes long for a large one.
        let action = action("free the blocks of", volume.name)
        try? await blocking.runBulk(action) {
            lease.close()
            reference.close()
        }
    }

    private static func extents(of volume: Volume) -> [String] {
        guard case .strings(let names)? = volume.details["extents"] else { return [] }
        return ownExtents(of: volume.name, names)
    }

    /// On the lane: makes sure that nobody else does with the volume what is excluded.
    func lease(
        _ reference: FileReference, _ volume: Volume, writable: Bool = false, excluding: Lease.Exclusion
    ) throws -> Lease {
        do { return try Lease(reference, path: path(of: volume.name), writable: writable, excluding: excluding) } catch let taken
            as Lease.Taken
        {
            throw busy(volume.name, taken)
        }
    }
}

extension DirectoryPool: VolumeRenaming {
    /// On the lane: renames in a way that a crash cannot leave half done for long.
    func rename(_ old: String, to new: String, in place: Place) throws(Errno) {
        var note: String?
        defer { if let note { drafts.end(note) } }
        try place.directory.rename(old, to: new) {
            let name = drafts.begin()
            note = name
            return name
        }
    }

    public func rename(_ volume: Volume, to name: String) async throws(StorageError) -> Volume {
        try checkName(name, of: "volume")
        if !Self.extents(of: volume).isEmpty {
            throw StorageError(
                .notSupported,
                "Volume \(volume.name) in pool \(definition.name) has its data in other files that are named after it, and cannot be renamed; copy it instead."
            )
        }
        let (place, renamed) = try await blocking.run(self.action("rename", volume.name)) { [self] in
            let place = try openPlace()
            let (_, before) = try self.reference(to: volume, in: place)
            do throws(Errno) { try self.rename(volume.name, to: name, in: place) } catch {
                if error.code == EEXIST { throw exists(name) }
                throw error
            }
            // By its new name: FUSE knows it by that alone now.
            let after = try place.directory.status(of: name)
            guard after.identity == before.identity else {
                // Somebody put another file there in between: it gets its name back.
                try? self.rename(name, to: volume.name, in: place)
                throw gone(volume)
            }
            return (place, volume.after(after, named: name, self.path(of: name)))
        }
        do throws(StorageError) {
            try await syncs.sync(nil, in: place.directory, action("rename", volume.name)) { place.directory.close() }
        } catch {
            try? await blocking.run("clean up") { [self] in try self.rename(name, to: volume.name, in: try openPlace()) }
            throw error
        }
        return renamed
    }
}

extension DirectoryPool: VolumePermitting {
    public func setPermissions(_ volume: Volume, _ permissions: Permissions) async throws(StorageError) -> Volume {
        if let mode = permissions.mode, mode > 0o777 {
            throw StorageError(.invalidArguments, "Mode 0\(String(mode, radix: 8)) has bits above 0777; give permission bits only.")
        }
        return try await blocking.run(self.action("change the permissions of", volume.name)) { [self] in
            let place = try openPlace()
            let (reference, before) = try self.reference(to: volume, in: place)
            if permissions.owner != nil || permissions.group != nil {
                try reference.setOwner(permissions.owner, group: permissions.group)
            }
            // A new owner must not find set-user-id bits, which nobody asked to keep.
            let mode = permissions.mode ?? before.mode & 0o777
            do throws(Errno) { try reference.setMode(mode) } catch {
                try? reference.setOwner(before.owner, group: before.group)
                throw error
            }
            return volume.after(try reference.status())
        }
    }
}

extension Volume {
    /// The volume when something other than its data has changed.
    fileprivate func after(_ status: FileStatus, named name: String? = nil, _ path: String? = nil) -> Volume {
        var volume = self
        volume.name = name ?? volume.name
        volume.path = path ?? volume.path
        volume.mode = status.mode & 0o777
        volume.owner = status.owner
        volume.group = status.group
        volume.modifyTime = microseconds(status.modified)
        return volume
    }
}

extension DirectoryPool: VolumeOpening {
    public func open(_ volume: Volume, read: Bool, write: Bool) async throws(StorageError) -> Int32 {
        guard read || write else {
            throw StorageError(.invalidArguments, "Volume \(volume.name) cannot be opened for nothing; ask for reading, writing or both.")
        }
        let file = try await blocking.run(self.action("open", volume.name)) { [self] in
            let place = try openPlace()
            let (reference, _) = try self.reference(to: volume, in: place)
            // Ends before the file is opened, or we would wait for ourselves.
            if write {
                let lease = try self.lease(reference, volume, excluding: .writing)
                lease.close()
            }
            let file = try reference.open(write ? (read ? O_RDWR : O_WRONLY) : O_RDONLY)
            file.setBlocking()
            return file
        }
        return file.release()
    }
}

extension DirectoryPool: VolumeResizing {
    /// A volume that is about to get another size.
    private struct Subject: Sendable {
        let place: Place
        let file: File
        let before: FileStatus
        let lease: Lease

        func close() {
            lease.end()
            file.close()
            place.directory.close()
        }
    }

    /// Changing an image's size leaves it broken, or with clusters that nothing refers to, if it is interrupted: it must be mended then.
    public func movesData(resizing volume: Volume, to capacity: UInt64, allocate: Bool) -> Bool {
        allocate || volume.format != "raw"
    }

    public func resize(
        _ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress
    ) async throws(StorageError) -> Volume {
        try check(resizing: volume, to: capacity, allocate: allocate)
        let subject = try await beginResize(volume, to: capacity, allowShrink: allowShrink, allocate: allocate)
        let old = subject.before.size
        do throws(StorageError) {
            if movesData(resizing: volume, to: capacity, allocate: allocate) {
                try await progress.journal(
                    WorkNote(.resize(old: volume.format == "raw" ? old : volume.capacity, new: capacity), subject.before, name: volume.name)
                        .line)
            }
            if volume.format != "raw" {
                return try await resizeImage(subject, volume, to: capacity, allowShrink: allowShrink, allocate: allocate, progress)
            }
            if allocate, capacity > old { try await fill(subject, volume, old..<capacity, progress) }
            return try await blocking.runBulk(self.action("resize", volume.name)) { [self] in
                if capacity != old {
                    try subject.file.setSize(capacity)
                    try subject.file.sync()
                }
                defer { subject.close() }
                return try look(again: subject, volume)
            }
        } catch {
            await undo(subject, volume)
            throw error
        }
    }

    private func resizeImage(
        _ subject: Subject, _ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress
    ) async throws(StorageError) -> Volume {
        subject.lease.end()  // qemu-img is to open it, and has locks of its own
        try await resizeImage(subject.file, volume, to: capacity, allowShrink: allowShrink, allocate: allocate, progress)
        return try await blocking.runBulk(self.action("resize", volume.name)) { [self] in
            defer { subject.close() }
            try subject.file.sync()
            return try look(again: subject, volume)
        }
    }

    /// On the lane: the volume as its file is now.
    private func look(again subject: Subject, _ volume: Volume) throws -> Volume {
        let status = try subject.file.status()
        var buffer = [UInt8](repeating: 0, count: Self.headerSize)
        let image = volume.format == "raw" ? Image.raw(volume) : try probe(subject.file, volume.name, status, &buffer)
        return self.volume(volume.name, status, key: volume.key, subject.place, image)
    }

    private func beginResize(
        _ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool
    ) async throws(StorageError) -> Subject {
        try await blocking.run(self.action("resize", volume.name)) { [self] in
            let place = try openPlace()
            let (reference, status) = try self.reference(to: volume, in: place)
            if volume.format == "raw", capacity < status.size, !allowShrink {
                throw StorageError(
                    .shrinkRefused,
                    "Volume \(volume.name) in pool \(definition.name) has \(status.size) bytes and would lose data at \(capacity); allow shrinking if that is wanted."
                )
            }
            let size = volume.format == "raw" ? status.size : volume.capacity
            if allocate, capacity > size { try requireSpace(capacity - size, for: volume.name, in: place) }
            let lease = try self.lease(reference, volume, writable: true, excluding: .opening)
            guard let file = lease.file else { throw Errno(EACCES) }
            return Subject(place: place, file: file, before: status, lease: lease)
        }
    }

    private func fill(
        _ subject: Subject, _ volume: Volume, _ range: Range<UInt64>, _ progress: Progress
    ) async throws(StorageError) {
        subject.lease.end()  // this may take longer than the kernel lets others wait
        let filler = SpaceFiller(blocking: blocking, file: subject.file, action: action("resize", volume.name), company: company)
        progress.total(UInt64(range.count))
        progress.phase("allocating")
        // Beyond the file's end, so that its size changes once, when all is there.
        if try await filler.reserve(range, growing: false, progress) { return progress.advance(UInt64(range.count)) }
        progress.phase("writing")
        try await filler.writeZeros(range, progress)
    }

    /// Gives back what was reserved. In a task of its own, since the caller's may be cancelled.
    private func undo(_ subject: Subject, _ volume: Volume) async {
        let blocking = blocking
        await Task {
            try? await blocking.runBulk("undo the resizing") {
                defer { subject.close() }
                if volume.format != "raw" { return }
                try subject.file.setSize(subject.before.size)
            }
        }.value
    }
}
