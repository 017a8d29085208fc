// SPDX-License-Identifier: LGPL-2.1-or-later

extension Pool {
    /// Looks at everything again. Two refreshes that both wait are one job.
    public func refresh(by uid: UInt32) async throws(StorageError) -> Job {
        try requireActiveOrUnavailable()
        if let waitingRefresh, waitingRefresh.snapshot.state == .queued { return waitingRefresh }
        let job = try await context.jobs.start(.poolRefresh, on: [.pool(name)], by: uid, durable: false, turn: refreshes) {
            [self] (progress) async throws(StorageError) in
            try progress.checkCancelled()
            progress.phase("scanning")
            try await rescan()
        }
        // Somebody may have been quicker while the number was being reserved; then both run, which harms nobody.
        waitingRefresh = job
        return job
    }

    /// Scans; a failure leaves the list as it is and degrades the pool.
    func rescan() async throws(StorageError) {
        if snapshot.state.isAway { return try await comeBack() }
        scans += 1
        if scans == 1 { touched = [] }
        let contents: Contents
        do throws(StorageError) {
            contents = try await backend.scan(volumes)
        } catch {
            scans -= 1
            scanFailed(error)
            throw error
        }
        let again = touched
        scans -= 1
        guard snapshot.state.isActive else { return }
        finishScan(contents)
        await look(at: again)
        if snapshot.state == .degraded { publish(state: .active) }
    }

    func finishScan(_ contents: Contents) {
        var volumes = contents.volumes
        // What is being worked on is the worker's to tell; what changed meanwhile is looked at once more.
        for name in Set(claims.keys).union(touched) { volumes[name] = self.volume(name) }
        relink(context.chains.open(self))
        replace(volumes, skipped: contents.skipped)
        scansTold += 1
        publish(contents.space)
        publish { snapshot in
            snapshot.details = contents.details
            snapshot.lastScan = context.environment.now()
        }
    }

    private func scanFailed(_ error: StorageError) {
        guard snapshot.state.isActive else { return }
        if error.isOfAbsence {
            becomeAway(.unavailable, error.message)
        } else {
            publish(state: .degraded, reason: "The last scan failed: \(error.message)")
        }
    }

    // MARK: - Freshness

    func beginWatching() async -> (WatchKind, reason: String) {
        endWatching()
        guard let watching = backend as? any Watching else { return (.none, "") }
        do throws(StorageError) {
            let (kind, changes) = try await watching.watch()
            watcher = Task { [weak self] in
                for await change in changes {
                    guard let self, !Task.isCancelled else { return }
                    await heed(change)
                }
            }
            return (kind, "")
        } catch {
            watcher = Task { [weak self, environment = context.environment] in
                while !Task.isCancelled {
                    await environment.sleep(Self.pollInterval)
                    guard let self, !Task.isCancelled else { return }
                    await heed(.everything)
                }
            }
            return (.poll, "Changes are looked for every \(Self.pollInterval.components.seconds) s: \(error.message)")
        }
    }

    /// How long the traces of one's own work may wait for company.
    private static let settlingTime = Duration.milliseconds(30)
    /// How often a pool is scanned that nothing tells of changes.
    private static let pollInterval = Duration.seconds(30)
    /// How often a pool that went away is looked for.
    private static let returnInterval = Duration.seconds(10)

    func endWatching() {
        watcher?.cancel()
        watcher = nil
        publish { $0.watch = .none }
    }

    private func heed(_ change: Change) async {
        switch change {
        case .entry(let entry): lookSoon(at: [entry])
        case .renamed(let old, let new): lookSoon(at: [old, new])
        case .everything: try? await rescan()
        case .lost(let reason): if snapshot.state.isActive { becomeAway(.unavailable, reason) }
        }
    }

    /// Looks at entries that changed, together with others that change while the last look is under way. Waits for nothing.
    func lookSoon(at names: Set<String>) {
        due.formUnion(names)
        if isLooking { return }
        isLooking = true
        Task {
            while !due.isEmpty {
                let names = due
                due = []
                await look(at: names)
            }
            isLooking = false
        }
    }

    /// Looks at an entry that changed while it was worked on, most often because of that work: together with others, a little later.
    func lookWhenQuiet(at name: String) {
        settled.insert(name)
        if settled.count > 1 { return }
        Task {
            await context.environment.sleep(Self.settlingTime)
            let names = settled
            settled = []
            lookSoon(at: names)
        }
    }

    /// Looks at entries that changed; those somebody works on are looked at when the work is done.
    func look(at names: Set<String>) async {
        guard !names.isEmpty, let looking = backend as? any EntryLooking else { return }
        if scans > 0 { touched.formUnion(names) }
        let claimed = names.filter { claims[$0] != nil }
        unseen.formUnion(claimed)
        let free = names.subtracting(claimed)
        if free.isEmpty { return }
        looks += 1
        let scansBefore = scansTold
        let found = try? await looking.look(at: free)
        looks -= 1
        // Of a scan that was told of meanwhile nobody knows which is the newer word.
        let worked = scansTold == scansBefore ? overtaken.intersection(free) : free
        if looks == 0 { overtaken = [] }
        guard var entries = found else { return }
        guard snapshot.state.isActive || snapshot.state == .starting else { return }
        // Work that was done while we looked knows better; what it left is looked at again.
        for name in worked where entries.removeValue(forKey: name) != nil { lookSoon(at: [name]) }
        // Work may have begun while we looked.
        for name in entries.keys where claims[name] != nil {
            entries[name] = nil
            unseen.insert(name)
        }
        for (name, entry) in entries where isTooSoon(name, entry) { entries[name] = nil }
        apply(entries)
        spaceChanged()
    }

    /// Whether a volume that others write to has been told to have changed so often that this change must wait.
    private func isTooSoon(_ name: String, _ entry: Entry) -> Bool {
        guard case .volume(let new) = entry, let old = volume(name), old.key == new.key, !old.isSame(as: new) else { return false }
        guard let delay = pace.delay(of: name) else { return true }
        if delay == .zero { return false }
        Task { [weak self, environment = context.environment] in
            await environment.sleep(delay)
            await self?.lookLater(at: name)
        }
        return true
    }

    private func lookLater(at name: String) {
        pace.resume(name)
        if volume(name) != nil { lookSoon(at: [name]) }
    }

    /// Tells that somebody reads a volume's sizes: what is older than 5 s is looked at again. Waits for nothing.
    public nonisolated func volumeWasRead(_ name: String) {
        if lately.isDue(name) { Task { await lookSoon(at: [name]) } }
    }

    /// The pool's storage is not there: the list stays, work is refused, and the pool is looked for until it is back or stopped.
    ///
    /// - Parameter state: `waiting` if it has not been there since the pool was started, else `unavailable`.
    func becomeAway(_ state: PoolState, _ reason: String) {
        endWatching()
        retrier?.cancel()
        publish(state: state, reason: reason)
        let backend = backend as? any Returning
        retrier = Task { [weak self, environment = context.environment] in
            // What is missing now may not be missing when it is looked for.
            _ = await backend?.mayReturn()
            let (looks, look) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            let ticker = Task {
                while !Task.isCancelled {
                    await environment.sleep(Self.returnInterval)
                    look.yield()
                }
            }
            let hinter = Task {
                guard let hints = await backend?.hints() else { return }
                for await _ in hints { look.yield() }
            }
            defer {
                ticker.cancel()
                hinter.cancel()
            }
            for await _ in looks {
                guard let self, !Task.isCancelled else { return }
                if await backend?.mayReturn() == false { continue }
                if (try? await comeBack()) != nil { return }
            }
        }
    }

    /// Tries to reach a pool that went away; one attempt serves all who ask meanwhile.
    private func comeBack() async throws(StorageError) {
        if let comeback { return try await comeback.value.get() }
        guard snapshot.state.isAway, lifecycle == nil else { return }
        let attempt = Task { () async -> Result<Void, StorageError> in
            do throws(StorageError) { return .success(try await reach()) } catch { return .failure(error) }
        }
        comeback = attempt
        defer { comeback = nil }
        try await attempt.value.get()
    }

    private func reach() async throws(StorageError) {
        try? await backend.stop(Progress.ignored())
        await context.releaseIdentity(name)
        let identity = try await backend.start(Progress.ignored())
        try await context.claimIdentity(identity, name)
        let (kind, reason) = await beginWatching()
        let contents = try await backend.scan(volumes)
        guard snapshot.state.isAway, lifecycle == nil else { return }
        finishScan(contents)
        publish { snapshot in
            snapshot.state = .active
            snapshot.stateReason = reason
            snapshot.watch = kind
        }
        retrier?.cancel()
        retrier = nil
    }

    private func requireActiveOrUnavailable() throws(StorageError) {
        if snapshot.state.isAway { return }
        try requireActive()
    }

    func requireActive() throws(StorageError) {
        switch snapshot.state {
        case .active, .degraded: return
        case .unavailable, .waiting:
            throw StorageError(.unavailable, "Pool \(name) cannot be reached: \(snapshot.stateReason)")
        default:
            throw StorageError(.poolInactive, "Pool \(name) is \(snapshot.state.rawValue); start it first.")
        }
    }
}

extension StorageError {
    /// Whether the storage is not there, rather than broken.
    var isOfAbsence: Bool { code == .unavailable || code == .timedOut || code == .notFound }
}
