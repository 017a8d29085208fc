// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// One long operation: what it does, how far it is, and the way to stop it. Safe on any thread.
///
/// A job does not begin before ``release()``: its starter is to be told of it before anything of it is announced.
public final class Job: Sendable {
    /// Progress is announced at most this often.
    private static let announcementInterval = Duration.milliseconds(250)

    private struct State {
        var snapshot: JobSnapshot
        var released = false
        var gate: CheckedContinuation<Void, Never>?
        var waiters: [CheckedContinuation<JobSnapshot, Never>] = []
        var announced = ContinuousClock.now
        /// When, and at how many bytes, the rate was last worked out, or the phase began.
        var measured = ContinuousClock.now
        var measuredBytes: UInt64 = 0
        var announcementPending = false
        var progress: Progress?
        var cancelRequested = false
    }

    /// The job's number.
    public let id: UInt64
    private let state: Mutex<State>
    private let events: EventQueue
    private let environment: Environment

    init(_ snapshot: JobSnapshot, events: EventQueue, environment: Environment) {
        id = snapshot.id
        state = Mutex(State(snapshot: snapshot))
        self.events = events
        self.environment = environment
    }

    /// The job as it is now.
    public var snapshot: JobSnapshot { state.withLock { $0.snapshot } }

    /// Lets the job begin.
    public func release() {
        let gate = state.withLock { state in
            state.released = true
            defer { state.gate = nil }
            return state.gate
        }
        gate?.resume()
    }

    /// Asks the job to stop; succeeds at once, also when it has ended.
    ///
    /// - Throws: `notSupported` in a phase that cannot stop.
    public func cancel() throws(StorageError) {
        let answer: (progress: Progress?, phase: String, refused: Bool) = state.withLock { state in
            if state.snapshot.state.isFinished { return (nil, "", false) }
            if state.snapshot.cancellable { state.cancelRequested = true }
            return (state.progress, state.snapshot.phase, !state.snapshot.cancellable)
        }
        if answer.refused {
            throw StorageError(
                .notSupported, "Job \(id) cannot be cancelled while it is \(answer.phase); wait for it, then undo what it did.")
        }
        answer.progress?.cancel()
    }

    /// Waits for the end.
    public func wait() async -> JobSnapshot {
        await withCheckedContinuation { continuation in
            let finished = state.withLock { state -> JobSnapshot? in
                if state.snapshot.state.isFinished { return state.snapshot }
                state.waiters.append(continuation)
                return nil
            }
            if let finished { continuation.resume(returning: finished) }
        }
    }

    // MARK: - For the job table

    func announceNew() {
        state.withLock { events.emit(.job(self, $0.snapshot)) }
    }

    func waitForRelease() async {
        await withCheckedContinuation { continuation in
            let released = state.withLock { state in
                if !state.released { state.gate = continuation }
                return state.released
            }
            if released { continuation.resume() }
        }
    }

    func begin(_ progress: Progress) {
        state.withLock { state in
            state.progress = progress
            if state.cancelRequested { progress.cancel() }
            state.snapshot.state = .running
            state.announced = .now
            events.emit(.job(self, state.snapshot))
        }
    }

    /// Announces the end and lets those go who wait for it.
    func finish(_ outcome: Result<Void, StorageError>) -> JobSnapshot {
        let (snapshot, waiters) = state.withLock { state in
            state.progress = nil
            state.snapshot.phase = ""
            state.snapshot.cancellable = false
            state.snapshot.rate = 0
            state.snapshot.expectedEndTime = 0
            switch outcome {
            case .success:
                state.snapshot.state = .completed
                if state.snapshot.bytesTotal != unknownSize { state.snapshot.bytesDone = state.snapshot.bytesTotal }
            case .failure(let error):
                state.snapshot.state = error.code == .cancelled ? .cancelled : .failed
                state.snapshot.error = error
            }
            events.emit(.job(self, state.snapshot))
            events.emit(.jobFinished(state.snapshot))
            defer { state.waiters = [] }
            return (state.snapshot, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: snapshot) }
        return snapshot
    }

    func handle(_ report: Progress.Report) {
        let delay = state.withLock { state -> Duration? in
            guard !state.snapshot.state.isFinished else { return nil }
            switch report {
            case .phase(let name, let cancellable):
                state.snapshot.phase = name
                state.measured = .now
                state.measuredBytes = state.snapshot.bytesDone
                state.snapshot.cancellable = cancellable
            case .total(let bytes): state.snapshot.bytesTotal = bytes
            case .advance(let bytes): state.snapshot.bytesDone += bytes
            case .result(let key, let value): state.snapshot.result[key] = value
            }
            if state.announcementPending { return nil }
            let elapsed = ContinuousClock.now - state.announced
            if elapsed >= Self.announcementInterval {
                announce(&state)
                return nil
            }
            state.announcementPending = true
            return Self.announcementInterval - elapsed
        }
        guard let delay else { return }
        Task {
            await environment.sleep(delay)
            state.withLock { state in
                state.announcementPending = false
                if !state.snapshot.state.isFinished { announce(&state) }
            }
        }
    }

    private func announce(_ state: inout State) {
        let now = ContinuousClock.now
        let seconds = (now - state.measured) / .seconds(1)
        let latest = Double(state.snapshot.bytesDone - state.measuredBytes) / max(seconds, 0.001)
        // Half of what was, half of what is: steady enough to read, quick enough to believe.
        let rate = state.snapshot.rate == 0 ? latest : (Double(state.snapshot.rate) + latest) / 2
        state.snapshot.rate = UInt64(rate)
        state.announced = now
        state.measured = now
        state.measuredBytes = state.snapshot.bytesDone
        if state.snapshot.bytesTotal != unknownSize, rate >= 1, state.snapshot.bytesTotal >= state.snapshot.bytesDone {
            let left = Double(state.snapshot.bytesTotal - state.snapshot.bytesDone) / rate
            state.snapshot.expectedEndTime = environment.now() + UInt64(min(left, 1e9) * 1_000_000)
        }
        events.emit(.job(self, state.snapshot))
    }
}
