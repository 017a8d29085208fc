// SPDX-License-Identifier: LGPL-2.1-or-later

extension Pool {
    /// Makes the pool's storage reachable and looks at what is there.
    ///
    /// - Parameter persistently: a pool whose storage is not there is looked for until it is, or the pool is stopped.
    /// - Returns: nil if the pool is active already.
    public func start(by uid: UInt32, persistently: Bool = false) async throws(StorageError) -> Job? {
        if snapshot.state.isActive { return nil }
        return try await lifecycleJob(.poolStart, by: uid) { (pool, progress) async throws(StorageError) in
            try await pool.bringUp(progress, persistently: persistently)
        }
    }

    /// Makes the pool's storage unreachable; its data stays.
    ///
    /// - Parameter lazy: those who use the storage outside of the service may go on; it is let go of when the last of them has ended.
    /// - Returns: nil if the pool is inactive already.
    /// - Throws: `busy` while somebody works on its volumes; `notSupported` if the type knows no lazy stop.
    public func stop(lazy: Bool = false, by uid: UInt32) async throws(StorageError) -> Job? {
        if snapshot.state == .inactive { return nil }
        if lazy, !(backend is any LazilyStopping) {
            throw StorageError(
                .notSupported, "Pool \(name) of type \(type.name) cannot be stopped lazily; stop it when nobody uses it any more.")
        }
        if let (volume, operation) = claims.first {
            throw StorageError(
                .busy,
                "Pool \(name) cannot be stopped while \(operation.rawValue) runs on its volume \(volume); wait for that job or cancel it.")
        }
        return try await lifecycleJob(.poolStop, by: uid) { (pool, progress) async throws(StorageError) in
            try await pool.bringDown(lazy: lazy, progress)
        }
    }

    /// Makes the pool's storage.
    public func build(overwrite: Bool, by uid: UInt32) async throws(StorageError) -> Job {
        try requireInactive("built")
        let buildable: any Buildable = try capability(.poolBuild)
        return try await lifecycleJob(.poolBuild, by: uid) { (_, progress) async throws(StorageError) in
            try await buildable.build(overwrite: overwrite, progress)
        }
    }

    /// Removes the pool's storage; the definition stays.
    ///
    /// - Parameter confirm: the pool's UUID, so that nobody means ``Engine/undefine(_:)``.
    public func delete(confirm: String?, by uid: UInt32) async throws(StorageError) -> Job {
        guard confirm == snapshot.definition.uuid else {
            throw StorageError(
                .invalidArguments,
                "Delete removes the storage of pool \(name), Undefine only forgets its definition; to delete, give option “confirm” the pool's UUID."
            )
        }
        try requireInactive("deleted")
        let buildable: any Buildable = try capability(.poolDelete)
        return try await lifecycleJob(.poolDelete, by: uid) { (_, progress) async throws(StorageError) in
            try await buildable.delete(progress)
        }
    }

    /// Starts or does not start the pool with the machine.
    public func setAutostart(_ autostart: Bool) async throws(StorageError) {
        if snapshot.autostart == autostart { return }
        guard snapshot.persistent else {
            throw StorageError(.notSupported, "Pool \(name) is transient and cannot start by itself; define it without “transient”.")
        }
        try await context.definitions.setAutostart(name, autostart)
        publish { $0.autostart = autostart }
    }

    // MARK: - For the engine

    func requireInactive(_ what: String) throws(StorageError) {
        guard snapshot.state == .inactive, lifecycle == nil else {
            throw StorageError(.busy, "Pool \(name) is \(snapshot.state.rawValue) and cannot be \(what); stop it first.")
        }
    }

    func redefine(_ definition: PoolDefinition, type: PoolType, backend: any Backend) {
        self.type = type
        self.backend = backend
        publish { snapshot in
            snapshot.definition = definition
            snapshot.targetPath = backend.targetPath
            snapshot.capabilities = type.capabilities(of: backend)
        }
    }

    func restore(autostart: Bool) { publish { $0.autostart = autostart } }

    /// Holds the pool's life still while the engine forgets it. False if something is being done to it.
    func holdForRemoval() -> Bool {
        guard snapshot.state == .inactive, lifecycle == nil else { return false }
        lifecycle = .poolDelete
        return true
    }

    func releaseFromRemoval() { lifecycle = nil }

    func recover(_ notes: [String]) async throws(StorageError) -> Bool {
        guard let recovering = backend as? any Recovering else { return false }
        return try await recovering.recover(notes)
    }

    /// Has a job that recovers the pool's work ended before the pool's storage is looked at.
    func waitBeforeStart(for job: Job) { recoveries.append(job) }

    /// Ends what runs unasked; data and state stay.
    func abandon() {
        watcher?.cancel()
        retrier?.cancel()
    }

    // MARK: - The work

    private func lifecycleJob(
        _ operation: Operation, by uid: UInt32,
        _ body: @escaping @Sendable (Pool, Progress) async throws(StorageError) -> Void
    ) async throws(StorageError) -> Job {
        if let lifecycle {
            throw StorageError(.busy, "Pool \(name) is busy with \(lifecycle.rawValue); wait for that job to end.")
        }
        lifecycle = operation
        lifecycles += 1
        let number = lifecycles
        do throws(StorageError) {
            return try await context.jobs.start(operation, on: [.pool(name)], by: uid, durable: false) {
                [self] (progress) async throws(StorageError) in
                do throws(StorageError) {
                    try await body(self, progress)
                    await endLifecycle(number)
                } catch {
                    await endLifecycle(number)
                    throw error
                }
            }
        } catch {
            endLifecycle(number)
            throw error
        }
    }

    /// Nothing if the pool has been set free already, and somebody else has begun something since.
    private func endLifecycle(_ number: UInt64) { if number == lifecycles { lifecycle = nil } }

    private func bringUp(_ progress: Progress, persistently: Bool) async throws(StorageError) {
        retrier?.cancel()
        retrier = nil
        publish(state: .starting)
        _ = await comeback?.value
        for job in recoveries { _ = await job.wait() }
        recoveries = []
        do throws(StorageError) {
            let identity = try await backend.start(progress)
            try await context.claimIdentity(identity, name)
            progress.phase("scanning")
            let (kind, reason) = await beginWatching()
            let contents = try await backend.scan(volumes)
            finishScan(contents)
            await rememberActive(true)
            lifecycle = nil  // whoever sees that the pool is active may stop it
            publish { snapshot in
                snapshot.state = .active
                snapshot.stateReason = reason
                snapshot.watch = kind
            }
        } catch {
            endWatching()
            try? await backend.stop(Progress.ignored())
            await context.releaseIdentity(name)
            if persistently, error.isOfAbsence {
                becomeAway(.waiting, error.message)
            } else {
                publish(state: .inactive, reason: error.message)
            }
            throw error
        }
    }

    private func bringDown(lazy: Bool, _ progress: Progress) async throws(StorageError) {
        retrier?.cancel()
        retrier = nil
        let before = (snapshot.state, snapshot.stateReason)
        publish(state: .stopping)
        _ = await comeback?.value
        do throws(StorageError) {
            if lazy, let backend = backend as? any LazilyStopping {
                try await backend.stop(lazy: true, progress)
            } else {
                try await backend.stop(progress)
            }
        } catch {
            publish(state: before.0, reason: before.1)
            throw error
        }
        endWatching()
        await context.releaseIdentity(name)
        replace([:])
        relink(context.chains.close(self))
        await rememberActive(false)
        lifecycle = nil
        publish { snapshot in
            snapshot.state = .inactive
            snapshot.stateReason = ""
            snapshot.space = .unknown
            snapshot.details = [:]
            snapshot.lastScan = 0
        }
        if !snapshot.persistent { await context.forgetTransient(name) }
    }

    private func rememberActive(_ active: Bool) async {
        guard snapshot.persistent else { return }
        do throws(StorageError) {
            try await context.definitions.setActive(name, active)
        } catch {
            context.events.emit(.notice(pool: name, "ignoring that the pool's state could not be kept for a restart: \(error.message)"))
        }
    }

    /// The backend as something that can do the operation.
    ///
    /// - Throws: `notSupported` with the reason that `Capabilities` shows.
    func capability<C>(_ operation: Operation) throws(StorageError) -> C {
        if let reason = snapshot.capabilities[operation], !reason.isEmpty {
            throw StorageError(.notSupported, "\(operation.rawValue) is not possible in pool \(name) of type \(type.name): \(reason).")
        }
        guard let capable = backend as? C else {
            throw StorageError(.notSupported, "\(operation.rawValue) is not possible in pool \(name) of type \(type.name).")
        }
        return capable
    }
}
