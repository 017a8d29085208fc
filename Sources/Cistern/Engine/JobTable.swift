// SPDX-License-Identifier: LGPL-2.1-or-later

/// All jobs: numbers that are never reused, the journal, and how long an ended job stays.
public actor JobTable {
    /// How long an ended job stays to be read.
    static let retention = Duration.seconds(60)
    /// How many ended jobs of one caller stay at most.
    static let finishedPerUser = 1000
    private static let reservation: UInt64 = 100

    private let journal: any JobJournal
    private let events: EventQueue
    private let environment: Environment
    private var next: UInt64 = 1
    private var reserved: UInt64 = 0
    private var running: [UInt64: Job] = [:]
    /// What runs the jobs, and forgets them in the journal.
    private var tasks: [UInt64: Task<Void, Never>] = [:]
    private var finished: [UInt32: [UInt64]] = [:]
    /// Ended jobs in the order of their ends.
    private var expiring: [(id: UInt64, uid: UInt32, ended: UInt64)] = []

    init(journal: any JobJournal, events: EventQueue, environment: Environment) {
        self.journal = journal
        self.events = events
        self.environment = environment
    }

    /// Reads the journal.
    ///
    /// - Returns: what an earlier run left unfinished.
    func open() async throws(StorageError) -> [JournalEntry] {
        let (next, unfinished) = try await journal.open()
        self.next = next
        reserved = next
        return unfinished
    }

    /// Makes a job that runs `body` once it is released.
    ///
    /// - Parameters:
    ///   - durable: whether a crash in the middle must be finished or undone by the next run.
    ///   - turn: if given, the job is queued until it is its turn.
    func start(
        _ operation: Operation, on objects: [ObjectReference], by uid: UInt32, durable: Bool, turn: Turnstile? = nil,
        _ body: @escaping @Sendable (Progress) async throws(StorageError) -> Void
    ) async throws(StorageError) -> Job {
        let id = try await nextNumber()
        let snapshot = JobSnapshot(id: id, operation: operation, startTime: environment.now(), uid: uid, objects: objects)
        if durable { try await journal.begin(JournalEntry(snapshot)) }
        return launch(snapshot, durable: durable, turn, body)
    }

    /// Brings back a job that a crash interrupted, under its number.
    func resume(_ entry: JournalEntry, _ body: @escaping @Sendable (Progress) async throws(StorageError) -> Void) -> Job {
        var objects: [ObjectReference] = [.pool(entry.pool)]
        if !entry.volume.isEmpty { objects.append(.volume(pool: entry.pool, name: entry.volume)) }
        let snapshot = JobSnapshot(
            id: entry.id, operation: entry.operation, startTime: entry.startTime, uid: entry.uid, objects: objects)
        let job = launch(snapshot, durable: true, nil, body)
        job.release()
        return job
    }

    /// Asks every running job to stop and waits for them.
    func cancelAll() async {
        let jobs = Array(running.values)
        for job in jobs { try? job.cancel() }
        for job in jobs { _ = await job.wait() }
        for task in Array(tasks.values) { await task.value }
    }

    /// Jobs by state, for statistics.
    public var counts: (running: Int, finished: Int) { (running.count, finished.values.reduce(0) { $0 + $1.count }) }

    private func launch(
        _ snapshot: JobSnapshot, durable: Bool, _ turn: Turnstile?,
        _ body: @escaping @Sendable (Progress) async throws(StorageError) -> Void
    ) -> Job {
        let job = Job(snapshot, events: events, environment: environment)
        running[job.id] = job
        job.announceNew()
        tasks[job.id] = Task {
            await run(job, durable: durable, turn, body)
            tasks[job.id] = nil
        }
        return job
    }

    private func run(
        _ job: Job, durable: Bool, _ turn: Turnstile?, _ body: @escaping @Sendable (Progress) async throws(StorageError) -> Void
    ) async {
        let journal = journal
        let id = job.id
        let progress = Progress(
            report: { job.handle($0) },
            journal: { (line) async throws(StorageError) in if durable { try await journal.note(id, line) } })
        await job.waitForRelease()
        await turn?.enter()
        job.begin(progress)
        let outcome: Result<Void, StorageError>
        do throws(StorageError) {
            try await body(progress)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        turn?.leave()
        // A crash from here on brings the job back as it ended, until the outside is sure to know.
        if durable { try? await journal.note(id, JournalEntry.note(of: outcome)) }
        let snapshot = job.finish(outcome)
        running[id] = nil
        if durable {
            await events.becomeKnown()
            await journal.end(id)
        }
        retain(snapshot)
    }

    private func nextNumber() async throws(StorageError) -> UInt64 {
        while next >= reserved {
            let through = next + Self.reservation
            try await journal.reserve(through: through)
            reserved = max(reserved, through)
        }
        defer { next += 1 }
        return next
    }

    private func retain(_ job: JobSnapshot) {
        finished[job.uid, default: []].append(job.id)
        if let ids = finished[job.uid], ids.count > Self.finishedPerUser { forget(ids[0], of: job.uid) }
        expiring.append((job.id, job.uid, environment.now()))
        if expiring.count == 1 { Task { await expire() } }
    }

    /// Forgets ended jobs when their time has come, one after the other.
    private func expire() async {
        while let next = expiring.first {
            let age = environment.now() - min(next.ended, environment.now())
            let left = Self.retention - .microseconds(Int64(clamping: age))
            if left > .zero { await environment.sleep(left) }
            expiring.removeFirst()
            forget(next.id, of: next.uid)
        }
    }

    private func forget(_ id: UInt64, of uid: UInt32) {
        guard let index = finished[uid]?.firstIndex(of: id) else { return }
        finished[uid]?.remove(at: index)
        if finished[uid]?.isEmpty == true { finished[uid] = nil }
        events.emit(.jobRemoved(id))
    }
}

extension JournalEntry {
    fileprivate init(_ job: JobSnapshot) {
        var pool = ""
        var volume = ""
        for object in job.objects {
            switch object {
            case .pool(let name): pool = name
            case .volume(let of, let name): (pool, volume) = (of, name)
            case .job: break
            }
        }
        self.init(id: job.id, operation: job.operation, uid: job.uid, startTime: job.startTime, pool: pool, volume: volume)
    }
}
