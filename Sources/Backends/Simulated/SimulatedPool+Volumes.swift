// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop
import Glibc

extension SimulatedPool: Buildable {
    public func build(overwrite: Bool, _ progress: Progress) async throws(StorageError) {
        try await work(.poolBuild, progress)
        disk.state.withLock { $0.isBuilt = true }
    }

    public func delete(_ progress: Progress) async throws(StorageError) {
        try await work(.poolDelete, progress)
        try disk.state.withLock { state throws(StorageError) in
            guard state.volumes.isEmpty else {
                throw StorageError(
                    .busy, "Simulated pool \(definition.name) holds \(state.volumes.count) volumes; delete them first.")
            }
            state.isBuilt = false
        }
    }
}

extension SimulatedPool: VolumeCreating {
    public static var creatableFormats: [String] { ["raw"] }

    public func movesData(_ request: VolumeRequest) -> Bool { bytesToTake(request) > 0 }

    private func bytesToTake(_ request: VolumeRequest) -> UInt64 {
        request.allocation == .full || request.allocation == .falloc ? request.capacity : min(request.reserve ?? 0, request.capacity)
    }

    public func create(_ request: VolumeRequest, _ progress: Progress) async throws(StorageError) -> Volume {
        guard Self.creatableFormats.contains(request.format) else {
            throw StorageError(
                .notSupported, "Simulated pool \(definition.name) cannot create volumes of format “\(request.format)”; it can create raw.")
        }
        let bytes = bytesToTake(request)
        try disk.state.withLock { state throws(StorageError) in
            if state.volumes[request.name] != nil { throw exists(request.name) }
            let available = disk.space(state).available
            if bytes > available { throw noSpace(request.name, bytes, available) }
            state.promised += bytes
        }
        defer { disk.state.withLock { $0.promised -= bytes } }
        if bytes > 0 {
            progress.total(bytes)
            progress.phase("writing")
        }
        try await work(.volumeCreate, progress, bytes: bytes)
        progress.phase("publishing", cancellable: false)
        try progress.checkCancelled()
        let key = disk.state.withLock { disk.newKey(&$0) }
        try await progress.journal("link \(key)")
        let volume = try disk.state.withLock { state throws(StorageError) in
            if state.volumes[request.name] != nil { throw exists(request.name) }
            SimulatedDisk.place(Volume(request, allocation: bytes), key: key, &state)
            return state.volumes[request.name]
        }
        disk.tell(.entry(request.name))
        guard let volume else { throw exists(request.name) }
        return shown(volume)
    }

    public func delete(_ volume: Volume, _ progress: Progress) async throws(StorageError) {
        try await work(.volumeDelete, progress)
        try change(volume) { state, _ in
            state.volumes[volume.name] = nil
            state.contents[volume.key] = nil
        }
        disk.tell(.entry(volume.name))
    }

    /// Does something to the volume if it still is what it was.
    @discardableResult
    func change<T>(
        _ volume: Volume, _ body: (inout SimulatedDisk.State, Volume) throws(StorageError) -> T
    ) throws(StorageError) -> T {
        try disk.state.withLock { state throws(StorageError) in
            guard let current = state.volumes[volume.name], current.key == volume.key else {
                throw StorageError(
                    .notFound,
                    "Simulated pool \(definition.name) has another volume under the name \(volume.name), or none, any more; look it up again."
                )
            }
            return try body(&state, current)
        }
    }

    private func exists(_ name: String) -> StorageError {
        StorageError(.exists, "Simulated pool \(definition.name) already has a volume \(name); choose another name.")
    }

    private func noSpace(_ name: String, _ bytes: UInt64, _ available: UInt64) -> StorageError {
        StorageError(
            .noSpace,
            "Simulated pool \(definition.name) has \(available) bytes available, and volume \(name) needs \(bytes); make it smaller.")
    }
}

extension SimulatedPool: VolumeResizing, VolumeRenaming, VolumePermitting {
    public func resize(
        _ volume: Volume, to capacity: UInt64, allowShrink: Bool, allocate: Bool, _ progress: Progress
    ) async throws(StorageError) -> Volume {
        let current = try change(volume) { state, current throws(StorageError) in
            if capacity < current.capacity, !allowShrink {
                throw StorageError(
                    .shrinkRefused,
                    "Volume \(volume.name) has \(current.capacity) bytes and would lose data at \(capacity); allow shrinking.")
            }
            let bytes = allocate && capacity > current.capacity ? capacity - current.capacity : 0
            let available = disk.space(state).available
            if bytes > available { throw noSpace(volume.name, bytes, available) }
            return current
        }
        let bytes = allocate && capacity > current.capacity ? capacity - current.capacity : 0
        try await work(.volumeResize, progress, bytes: bytes)
        return try update(volume) { volume in
            volume.capacity = capacity
            volume.physical = capacity
            volume.allocation = min(capacity, volume.allocation + bytes)
        }
    }

    public func rename(_ volume: Volume, to name: String) async throws(StorageError) -> Volume {
        try await work(.volumeRename, Progress.ignored())
        let renamed = try change(volume) { state, current throws(StorageError) in
            if state.volumes[name] != nil { throw exists(name) }
            var renamed = current
            renamed.name = name
            state.volumes[volume.name] = nil
            state.volumes[name] = renamed
            return renamed
        }
        disk.tell(.renamed(volume.name, name))
        return shown(renamed)
    }

    public func setPermissions(_ volume: Volume, _ permissions: Permissions) async throws(StorageError) -> Volume {
        if let mode = permissions.mode, mode > 0o777 {
            throw StorageError(.invalidArguments, "Mode 0\(String(mode, radix: 8)) has bits above 0777; give permission bits only.")
        }
        try await work(.volumeSetPermissions, Progress.ignored())
        return try update(volume) { volume in
            volume.mode = permissions.mode ?? volume.mode
            volume.owner = permissions.owner ?? volume.owner
            volume.group = permissions.group ?? volume.group
        }
    }

    private func update(_ volume: Volume, _ body: (inout Volume) -> Void) throws(StorageError) -> Volume {
        let updated = try change(volume) { state, current throws(StorageError) in
            var updated = current
            body(&updated)
            state.volumes[volume.name] = updated
            return updated
        }
        disk.tell(.entry(volume.name))
        return shown(updated)
    }
}

extension SimulatedPool: VolumeOpening {
    public func open(_ volume: Volume, read: Bool, write: Bool) async throws(StorageError) -> Int32 {
        guard read || write else {
            throw StorageError(.invalidArguments, "Volume \(volume.name) cannot be opened for nothing; ask for reading, writing or both.")
        }
        try await work(.volumeOpen, Progress.ignored())
        return try change(volume) { state, current throws(StorageError) in
            do throws(Errno) {
                let contents: MemoryFile
                if let old = state.contents[current.key] { contents = old } else { contents = try MemoryFile(size: current.capacity) }
                state.contents[current.key] = contents
                return try contents.reopen(write ? (read ? O_RDWR : O_WRONLY) : O_RDONLY)
            } catch {
                throw error.explained("open volume \(volume.name)")
            }
        }
    }
}

extension SimulatedPool: EntryLooking, SpaceMeasuring, Watching {
    public func look(at names: Set<String>) async throws(StorageError) -> [String: Entry] {
        disk.state.withLock { state in
            var entries: [String: Entry] = [:]
            for name in names {
                entries[name] = state.volumes[name].map { .volume(shown($0)) } ?? state.skipped[name].map { .skipped($0) } ?? .absent
            }
            return entries
        }
    }

    public func measure() async throws(StorageError) -> Space { disk.state.withLock { disk.space($0) } }

    public func watch() async throws(StorageError) -> (kind: WatchKind, changes: AsyncStream<Change>) {
        let queue = ChangeQueue()
        try disk.state.withLock { state throws(StorageError) in
            guard state.behaviour.canBeWatched else {
                throw StorageError(.limitsExceeded, "Simulated pool \(definition.name) cannot be watched.")
            }
            state.watches.removeAll { $0.queue == nil }
            state.watches.append(SimulatedDisk.WeakQueue(queue: queue))
        }
        return (.inotify, queue.stream())
    }
}

extension Volume {
    fileprivate init(_ request: VolumeRequest, allocation: UInt64) {
        self.init(name: request.name)
        capacity = request.capacity
        physical = request.capacity
        self.allocation = allocation
        mode = request.mode ?? 0o600
        owner = request.owner ?? 0
        group = request.group ?? 0
    }
}
