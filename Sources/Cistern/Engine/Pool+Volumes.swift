// SPDX-License-Identifier: LGPL-2.1-or-later

extension Pool {
    /// Makes a volume.
    ///
    /// - Returns: the job that fills it, or nil if the volume is ready.
    /// - Throws: `invalidArguments`, `exists`, `noSpace`, `notSupported`, `poolInactive`, `unavailable`.
    public func createVolume(_ request: VolumeRequest, by uid: UInt32) async throws(StorageError) -> Job? {
        try checkName(request.name, of: "volume")
        guard request.capacity > 0, request.capacity <= UInt64(Int64.max) else {
            throw StorageError(
                .invalidArguments,
                "Volume \(request.name) cannot have a capacity of \(request.capacity) bytes; give 1 to \(Int64.max).")
        }
        try checkMode(request.mode)
        try requireActive()
        let creating: any VolumeCreating = try capability(.volumeCreate)
        let offered = Swift.type(of: creating).creatableFormats
        guard offered.contains(request.format) else {
            throw StorageError(
                .notSupported,
                "Pool \(name) cannot create volumes of format “\(request.format)”; it can create \(offered.joined(separator: ", ")).")
        }
        try creating.check(request)
        if volume(request.name) != nil || claims[request.name] != nil {
            throw StorageError(.exists, "Pool \(name) already has a volume \(request.name); choose another name.")
        }
        claims[request.name] = .volumeCreate
        do throws(StorageError) {
            let request = try await withBacking(request)
            return creating.movesData(request)
                ? try await startCreating(request, by: uid, creating) : try await createNow(request, creating)
        } catch {
            unclaim(request.name)
            throw error
        }
    }

    /// The request with what its backing volume is; that one is held until ``releaseBacking(of:)``.
    private func withBacking(_ request: VolumeRequest) async throws(StorageError) -> VolumeRequest {
        guard var backing = request.backing, let reference = backing.volume else { return request }
        let volume = try await context.hold(reference, backing.key)
        backing.path = volume.path
        if backing.format.isEmpty { backing.format = volume.format }
        var request = request
        request.backing = backing
        guard volume.health.state == .ready, !volume.path.isEmpty, !backing.format.isEmpty else {
            await releaseBacking(of: request)
            throw StorageError(
                .notSupported,
                "Volume \(reference.name) in pool \(reference.pool) cannot be a backing file: it is \(volume.health.state.rawValue) \(volume.health.reason)."
            )
        }
        return request
    }

    private func releaseBacking(of request: VolumeRequest) async {
        if let volume = request.backing?.volume { await context.release(volume) }
    }

    private func createNow(_ request: VolumeRequest, _ creating: any VolumeCreating) async throws(StorageError) -> Job? {
        let result = await outcome { [self] () async throws(StorageError) in
            try await inTurn { () async throws(StorageError) in try await creating.create(request, Progress.ignored()) }
        }
        settle(request.name, result)
        spaceChanged()
        await releaseBacking(of: request)
        _ = try result.get()
        return nil
    }

    private func startCreating(
        _ request: VolumeRequest, by uid: UInt32, _ creating: any VolumeCreating
    ) async throws(StorageError) -> Job {
        let reference = ObjectReference.volume(pool: name, name: request.name)
        do throws(StorageError) {
            let job = try await context.jobs.start(.volumeCreate, on: [reference, .pool(name)], by: uid, durable: true) {
                [self] (progress) async throws(StorageError) in
                let result = await outcome { () async throws(StorageError) in try await creating.create(request, progress) }
                await settle(request.name, result)
                await measure()
                await releaseBacking(of: request)
                _ = try result.get()
            }
            apply([request.name: .volume(Volume(allocating: request))])
            return job
        } catch {
            await releaseBacking(of: request)
            throw error
        }
    }

    /// Removes a volume and its data.
    ///
    /// - Parameter key: if given, the volume must still have it.
    public func deleteVolume(_ name: String, key: String?, by uid: UInt32) async throws(StorageError) -> Job? {
        let creating: any VolumeCreating = try capability(.volumeDelete)
        let volume = try claim(name, for: .volumeDelete, key: key, changesData: true)
        let work = { @Sendable [self] (progress: Progress) async throws(StorageError) -> Void in
            do throws(StorageError) {
                try await inTurn { () async throws(StorageError) in try await creating.delete(volume, progress) }
            } catch {
                await settle(name, .failure(error))
                throw error
            }
            await removed(name)
        }
        return try await perform(.volumeDelete, on: name, asJob: creating.movesData(deleting: volume), by: uid, work)
    }

    /// Changes how large a volume is.
    ///
    /// - Returns: nil if it was done at once, or is that large already.
    public func resizeVolume(
        _ name: String, to capacity: UInt64, allowShrink: Bool, allocate: Bool, key: String?, by uid: UInt32
    ) async throws(StorageError) -> Job? {
        guard capacity > 0, capacity <= UInt64(Int64.max) else {
            throw StorageError(.invalidArguments, "Volume \(name) cannot have a capacity of \(capacity) bytes; give 1 to \(Int64.max).")
        }
        let resizing: any VolumeResizing = try capability(.volumeResize)
        try resizing.check(resizing: try existing(name, key: key), to: capacity, allocate: allocate)
        let volume = try claim(name, for: .volumeResize, key: key, changesData: true)
        if capacity < volume.capacity, !allowShrink {
            unclaim(name)
            throw StorageError(
                .shrinkRefused,
                "Volume \(name) in pool \(self.name) has \(volume.capacity) bytes and would lose data at \(capacity); give option “allow-shrink” if that is wanted."
            )
        }
        if capacity == volume.capacity, !allocate {
            unclaim(name)
            return nil
        }
        let work = { @Sendable [self] (progress: Progress) async throws(StorageError) -> Void in
            let result = await outcome { () async throws(StorageError) in
                try await resizing.resize(volume, to: capacity, allowShrink: allowShrink, allocate: allocate, progress)
            }
            await settle(name, result)
            _ = try result.get()
        }
        let isJob = resizing.movesData(resizing: volume, to: capacity, allocate: allocate)
        return try await perform(.volumeResize, on: name, asJob: isJob, by: uid, work)
    }

    /// Gives a volume another name; its key stays.
    public func renameVolume(_ name: String, to newName: String, key: String?) async throws(StorageError) {
        try checkName(newName, of: "volume")
        let renaming: any VolumeRenaming = try capability(.volumeRename)
        let volume = try claim(name, for: .volumeRename, key: key, changesData: true)
        if newName == name { return unclaim(name) }
        if self.volume(newName) != nil || claims[newName] != nil {
            unclaim(name)
            throw StorageError(.exists, "Pool \(self.name) already has a volume \(newName); choose another name.")
        }
        claims[newName] = .volumeRename
        let result = await outcome { [self] () async throws(StorageError) in
            try await inTurn { () async throws(StorageError) in try await renaming.rename(volume, to: newName) }
        }
        if case .success(let renamed) = result { apply([name: .absent, newName: .volume(renamed)]) }
        unclaim(newName)
        unclaim(name)
        _ = try result.get()
    }

    /// Changes owner, group and mode.
    public func setPermissions(_ name: String, _ permissions: Permissions, key: String?) async throws(StorageError) {
        try checkMode(permissions.mode)
        let permitting: any VolumePermitting = try capability(.volumeSetPermissions)
        let volume = try claim(name, for: .volumeSetPermissions, key: key)
        let result = await outcome { [self] () async throws(StorageError) in
            try await inTurn { () async throws(StorageError) in try await permitting.setPermissions(volume, permissions) }
        }
        if case .success(let changed) = result { apply([name: .volume(changed)]) }
        unclaim(name)
        _ = try result.get()
    }

    /// A descriptor of the volume's data, owned by the caller.
    public func openVolume(_ name: String, read: Bool, write: Bool, key: String?) async throws(StorageError) -> Int32 {
        let opening: any VolumeOpening = try capability(.volumeOpen)
        let volume = try existing(name, key: key)
        if let operation = claims[name] { throw busy(name, with: operation) }
        return try await opening.open(volume, read: read, write: write)
    }

    /// Refuses, with the reason, an operation that pools of this type cannot do.
    public func requireCapability(_ operation: Operation) throws(StorageError) {
        let _: any Backend = try capability(operation)
        try requireActive()
    }

    /// Makes a short change when all that came before are made, unless the backend can make several at once.
    private func inTurn<T: Sendable>(
        _ change: @Sendable () async throws(StorageError) -> T
    ) async throws(StorageError) -> T {
        if backend.takesChangesTogether { return try await change() }
        return try await turnstile.pass(change)
    }

    // MARK: - Claims

    private func existing(_ name: String, key: String?) throws(StorageError) -> Volume {
        try requireActive()
        guard let volume = volume(name) else {
            throw StorageError(.notFound, "Pool \(self.name) has no volume \(name); see its list of volumes.")
        }
        if let key, key != volume.key {
            throw StorageError(.notFound, "Volume \(name) in pool \(self.name) is not the one with key \(key) any more; look it up again.")
        }
        return volume
    }

    /// - Parameter changesData: whether volumes that stand on this one would be harmed.
    private func claim(_ name: String, for operation: Operation, key: String?, changesData: Bool = false) throws(StorageError) -> Volume {
        let volume = try existing(name, key: key)
        if let other = claims[name] { throw busy(name, with: other) }
        try checkUnused(volume, changesData)
        claims[name] = operation
        return volume
    }

    /// Refuses what would harm a volume that stands on this one, or is just being made on it.
    private func checkUnused(_ volume: Volume, _ changesData: Bool) throws(StorageError) {
        let name = volume.name
        if changesData, holds[name] != nil {
            throw StorageError(
                .busy, "Volume \(name) in pool \(self.name) is being made the backing file of another volume; try again when that is done.")
        }
        if changesData, let first = volume.chain?.dependents.first, let count = volume.chain?.dependents.count {
            let others = count > 1 ? " and of \(count - 1) more" : ""
            throw StorageError(
                .busy,
                "Volume \(name) in pool \(self.name) is the backing file of volume \(first.name) in pool \(first.pool)\(others), which would lose its data; delete that first."
            )
        }
    }

    /// Keeps a volume from being changed or removed while another one is made on it.
    func hold(_ name: String, key: String?) throws(StorageError) -> Volume {
        let volume = try existing(name, key: key)
        if let other = claims[name] { throw busy(name, with: other) }
        holds[name, default: 0] += 1
        return volume
    }

    /// Ends a ``hold(_:key:)``.
    func release(_ name: String) {
        guard let count = holds[name] else { return }
        holds[name] = count > 1 ? count - 1 : nil
    }

    private func busy(_ volume: String, with operation: Operation) -> StorageError {
        StorageError(.busy, "Volume \(volume) in pool \(name) is busy with \(operation.rawValue); wait for that job or cancel it.")
    }

    private func unclaim(_ name: String) {
        claims[name] = nil
        if scans > 0 { touched.insert(name) }
        if looks > 0 { overtaken.insert(name) }
        if unseen.remove(name) != nil { lookWhenQuiet(at: name) }
    }

    /// Publishes how work on a volume ended, and gives the volume free.
    private func settle(_ name: String, _ result: Result<Volume, StorageError>) {
        switch result {
        case .success(let volume): apply([name: .volume(volume)])
        case .failure:
            if volume(name)?.state == .allocating { apply([name: .absent]) }
            unseen.insert(name)
        }
        unclaim(name)
    }

    private func removed(_ name: String) {
        apply([name: .absent])
        unclaim(name)
    }

    private func perform(
        _ operation: Operation, on name: String, asJob: Bool, by uid: UInt32,
        _ work: @escaping @Sendable (Progress) async throws(StorageError) -> Void
    ) async throws(StorageError) -> Job? {
        guard asJob else {
            try await work(Progress.ignored())
            spaceChanged()
            return nil
        }
        do throws(StorageError) {
            let objects: [ObjectReference] = [.volume(pool: self.name, name: name), .pool(self.name)]
            return try await context.jobs.start(operation, on: objects, by: uid, durable: true) {
                [self] (progress) async throws(StorageError) in
                let result = await outcome { () async throws(StorageError) in try await work(progress) }
                await measure()
                try result.get()
            }
        } catch {
            unclaim(name)
            throw error
        }
    }

    private func checkMode(_ mode: UInt32?) throws(StorageError) {
        if let mode, mode > 0o777 {
            throw StorageError(.invalidArguments, "Mode 0\(String(mode, radix: 8)) has bits above 0777; give permission bits only.")
        }
    }
}

/// Typed `Result(catching:)` for async work.
private func outcome<T: Sendable>(_ work: @Sendable () async throws(StorageError) -> T) async -> Result<T, StorageError> {
    do throws(StorageError) { return .success(try await work()) } catch { return .failure(error) }
}

extension Volume {
    /// What is shown of a volume while it is being made.
    fileprivate init(allocating request: VolumeRequest) {
        self.init(name: request.name)
        state = .allocating
        format = request.format
        formatSource = .declared
        backingPath = request.backing?.path ?? ""
        capacity = request.capacity
        allocation = 0
        mode = request.mode ?? 0o600
    }
}
