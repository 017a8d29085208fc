// SPDX-License-Identifier: LGPL-2.1-or-later

/// Why a ``Lane`` did not answer with what its body answered.
public enum LaneError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The body did not end, or did not even begin, in time. If it runs, it goes on, and its answer will be dropped.
    case deadline
    /// So many bodies are past their deadlines that no further thread is risked.
    case crowded
    /// The system gave no thread.
    case noThread

    public var description: String {
        switch self {
        case .deadline: "the system call did not come back in time"
        case .crowded: "\(Lane.maximumWrittenOff) earlier system calls have not come back yet"
        case .noThread: "the system has no thread left"
        }
    }
}

/// A share of the ``Workers``: at most `width` blocking bodies at once, short ones before bulk ones, in order inside a class.
///
/// Bulk bodies leave one thread of the lane to short ones (unless its width is 1), so that a listing never waits for a copy.
/// A body past its deadline is written off: its thread is counted and no longer occupies the lane, and its caller has an error.
public final class Lane: Sendable {
    /// What a body is like.
    public enum Priority: Sendable {
        /// Ends soon unless something is wrong.
        case short
        /// Moves data; may take minutes.
        case bulk
    }

    /// For messages and statistics.
    public let name: String
    /// How many bodies may be past their deadlines before the lane refuses more.
    public static let maximumWrittenOff = 16

    private let width: Int
    private let workers: Workers
    private let state = Locked(State())

    private struct Errand: Sendable {
        let priority: Priority
        /// Nanoseconds; nil for a body that may take forever.
        let limit: UInt64?
        /// Runs the body. Its answer delivers the result, or drops it if nobody wants it any more.
        let perform: @Sendable () -> @Sendable (_ wanted: Bool) -> Void
        /// Fails the caller; called instead of delivering.
        let refuse: @Sendable (any Error) -> Void
        var deadline: Deadlines.Token?
    }

    private struct State {
        var lastID: UInt64 = 0
        var waiting: [UInt64: Errand] = [:]
        /// May hold numbers that are no longer in `waiting`.
        var short = Fifo<UInt64>()
        var bulk = Fifo<UInt64>()
        var running: [UInt64: Errand] = [:]
        var runningBulk = 0
        var writtenOff: Set<UInt64> = []
    }

    init(_ name: String, width: Int, workers: Workers) {
        self.name = name
        self.width = max(1, width)
        self.workers = workers
    }

    /// Suspends the calling task; see ``Workers/sleep(for:)``.
    nonisolated(nonsending) public func sleep(for duration: Duration) async throws { try await workers.sleep(for: duration) }

    /// How many bodies are past their deadlines and have not come back.
    public var writtenOff: Int { state.withLock { $0.writtenOff.count } }

    /// How many bodies wait for their turn.
    public var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Runs `body` on a thread that may block.
    ///
    /// Cancelling the task removes the body from the queue; once it runs, it is the body's own business to end early.
    /// - Parameters:
    ///   - deadline: counted from when a bulk body starts to run, and from now for a short one, so that callers behind hung
    ///     bodies have an answer too.
    ///   - discard: gets the result of a body that came back after its deadline: closes descriptors, for example.
    /// - Throws: what the body threw, ``LaneError``, or `CancellationError` if the task was cancelled before the body began.
    nonisolated(nonsending) public func run<T: Sendable, E: Error>(
        _ priority: Priority = .short, deadline: Duration? = nil, discard: (@Sendable (T) -> Void)? = nil,
        _ body: @escaping @Sendable () throws(E) -> T
    ) async throws -> T {
        try Task.checkCancellation()
        let id = try newID()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
                let perform: @Sendable () -> @Sendable (Bool) -> Void = {
                    let result: Result<T, any Error>
                    do { result = .success(try body()) } catch { result = .failure(error) }
                    return { wanted in
                        if wanted { continuation.resume(with: result) } else if case .success(let value) = result { discard?(value) }
                    }
                }
                submit(
                    Errand(
                        priority: priority, limit: deadline.map { UInt64(min($0.microseconds, 1 << 52)) * 1000 }, perform: perform,
                        refuse: { continuation.resume(throwing: $0) }), id)
                if Task.isCancelled { cancel(id) }  // the handler may have come before the submission
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func newID() throws(LaneError) -> UInt64 {
        let id = state.withLock { state -> UInt64? in
            if state.writtenOff.count >= Self.maximumWrittenOff { return nil }
            state.lastID += 1
            return state.lastID
        }
        guard let id else { throw .crowded }
        return id
    }

    private func submit(_ errand: Errand, _ id: UInt64) {
        let ready = state.withLock { state in
            var errand = errand
            if errand.priority == .short { arm(&errand, id) }
            state.waiting[id] = errand
            if errand.priority == .short { state.short.push(id) } else { state.bulk.push(id) }
            return takeReady(&state)
        }
        start(ready)
    }

    /// Sets the errand's deadline. Called with the lane's lock held, so that the deadline cannot pass unnoticed.
    private func arm(_ errand: inout Errand, _ id: UInt64) {
        guard let limit = errand.limit else { return }
        errand.deadline = workers.deadlines.add(at: monotonicNanoseconds() + limit) { [weak self] in self?.expire(id) }
    }

    /// Moves what may run now from waiting to running.
    private func takeReady(_ state: inout State) -> [UInt64] {
        var ready: [UInt64] = []
        while state.running.count < width, let (id, next) = popNext(&state) {
            var errand = next
            if errand.priority == .bulk {
                state.runningBulk += 1
                arm(&errand, id)
            }
            state.running[id] = errand
            ready.append(id)
        }
        return ready
    }

    private func popNext(_ state: inout State) -> (UInt64, Errand)? {
        while let id = state.short.pop() {
            if let errand = state.waiting.removeValue(forKey: id) { return (id, errand) }
        }
        guard state.runningBulk < max(1, width - 1) else { return nil }
        while let id = state.bulk.pop() {
            if let errand = state.waiting.removeValue(forKey: id) { return (id, errand) }
        }
        return nil
    }

    private func start(_ ready: some Collection<UInt64>) {
        for id in ready where !workers.start({ self.work(id) }) {
            let errand = state.withLock { $0.running[id] }
            let (wanted, next) = finish(id)
            if wanted { errand?.refuse(LaneError.noThread) }
            start(next)
        }
    }

    /// On a worker thread: the body, and then whatever else the lane has for this thread.
    private func work(_ first: UInt64) {
        var current: UInt64? = first
        while let id = current {
            let deliver = perform(id)
            let (wanted, next) = finish(id)
            deliver?(wanted)
            start(next.dropFirst())
            current = next.first
        }
    }

    /// Runs the body, and lets go of it: whoever has the answer may rely on nothing being held any more.
    private func perform(_ id: UInt64) -> (@Sendable (_ wanted: Bool) -> Void)? {
        let errand = state.withLock { $0.running[id] }  // nil if its time was over before it got a thread
        return errand?.perform()
    }

    /// The body came back.
    ///
    /// - Returns: whether its caller still waits, and what may run now.
    private func finish(_ id: UInt64) -> (wanted: Bool, next: [UInt64]) {
        let (wanted, next) = state.withLock { state in
            let wanted = leave(id, &state)
            if !wanted { state.writtenOff.remove(id) }
            return (wanted, takeReady(&state))
        }
        if !wanted { workers.countWrittenOff(-1) }
        return (wanted, next)
    }

    /// Frees the errand's place; false if it had been written off.
    private func leave(_ id: UInt64, _ state: inout State) -> Bool {
        guard let errand = state.running.removeValue(forKey: id) else { return false }
        if errand.priority == .bulk { state.runningBulk -= 1 }
        if let deadline = errand.deadline { workers.deadlines.remove(deadline) }
        return true
    }

    /// On the deadline thread: its time is over.
    private func expire(_ id: UInt64) {
        let (errand, next) = state.withLock { state -> (Errand?, [UInt64]) in
            if let errand = state.waiting.removeValue(forKey: id) { return (errand, []) }
            guard let errand = state.running[id], leave(id, &state) else { return (nil, []) }
            state.writtenOff.insert(id)
            workers.countWrittenOff(1)
            return (errand, takeReady(&state))
        }
        errand?.refuse(LaneError.deadline)
        start(next)
    }

    /// The task was cancelled: forgets the errand if it has not begun.
    private func cancel(_ id: UInt64) {
        let errand = state.withLock { $0.waiting.removeValue(forKey: id) }
        guard let errand else { return }
        if let deadline = errand.deadline { workers.deadlines.remove(deadline) }
        errand.refuse(CancellationError())
    }
}
