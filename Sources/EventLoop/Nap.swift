// SPDX-License-Identifier: LGPL-2.1-or-later

/// One task's sleep, which ends once: in time, or early.
final class Nap: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Void, any Error>?
        var deadline: Deadlines.Token?
    }

    private let deadlines: Deadlines
    private let state = Locked(State())

    init(_ deadlines: Deadlines) { self.deadlines = deadlines }

    /// Resumes `continuation` after `duration`; at once if its task is cancelled, or if nobody can be had to keep the time.
    func begin(_ continuation: CheckedContinuation<Void, any Error>, for duration: Duration) {
        state.withLock { $0.continuation = continuation }
        let time = monotonicNanoseconds() + UInt64(min(duration.microseconds, 1 << 52)) * 1000
        let deadline = deadlines.add(at: time) { [self] in end(nil) }
        state.withLock { $0.deadline = deadline }
        if Task.isCancelled { end(CancellationError()) }  // the cancellation may have come before the continuation
        if deadline == nil { end(nil) }
    }

    /// Resumes the task, unless that has been done.
    func end(_ error: CancellationError?) {
        let (continuation, deadline) = state.withLock { state in
            defer { state = State() }
            return (state.continuation, state.deadline)
        }
        guard let continuation else { return }
        if let deadline { deadlines.remove(deadline) }
        if let error { continuation.resume(throwing: error) } else { continuation.resume() }
    }
}
