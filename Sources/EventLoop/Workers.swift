// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// The supply of threads for work that blocks. Threads appear on demand and end after ten idle seconds.
///
/// Nobody runs anything here directly: a ``Lane`` bounds how many threads one user may occupy.
public final class Workers: Sendable {
    private struct State {
        var jobs = Fifo<@Sendable () -> Void>()
        var idle = 0
        var threads = 0
        var writtenOff = 0
        var closed = false
    }

    /// What the threads hold on to, so that they do not keep ``Workers`` alive.
    private final class Crew: Sendable {
        let state = Locked(State())
        let patience: Duration

        init(patience: Duration) { self.patience = patience }

        /// The thread's life.
        func work() {
            while let job = next() { job() }
        }

        private func next() -> (@Sendable () -> Void)? {
            state.withLock { $0.idle += 1 }
            let woken = state.wait(atMost: patience) { state in state.closed || !state.jobs.isEmpty ? true : nil }
            return state.withLock { state in
                state.idle -= 1
                let job = state.jobs.pop()
                if job == nil, woken != nil, !state.closed { return {} }  // another thread was faster
                if job == nil { state.threads -= 1 }
                return job
            }
        }

        func startThread() -> Bool {
            let context = Unmanaged.passRetained(self)
            let failure = linux_thread(
                { raw in
                    guard let raw else { return nil }
                    linux_name_thread("worker")
                    Unmanaged<Crew>.fromOpaque(raw).takeRetainedValue().work()
                    return nil
                }, context.toOpaque())
            if failure != 0 { context.release() }
            return failure == 0
        }
    }

    private let crew: Crew
    let deadlines = Deadlines()

    /// No thread is started before there is work.
    public convenience init() { self.init(patience: .seconds(10)) }

    /// For tests: threads end after `patience` without work.
    init(patience: Duration) { crew = Crew(patience: patience) }

    deinit {
        crew.state.withLock { $0.closed = true }
        crew.state.broadcast()
        deadlines.close()
    }

    /// A bounded share of the threads, for one pool or one purpose.
    ///
    /// - Parameter width: how many bodies run at once; at least 1.
    public func lane(_ name: String, width: Int = 2) -> Lane { Lane(name, width: width, workers: self) }

    /// Threads that exist now, and those of them whose body is past its deadline.
    public var statistics: (threads: Int, writtenOff: Int) { crew.state.withLock { ($0.threads, $0.writtenOff) } }

    /// Runs a job on a thread of its own.
    ///
    /// - Returns: false if there is no thread and none could be started; the job is not run then.
    func start(_ job: @escaping @Sendable () -> Void) -> Bool {
        let accepted = crew.state.withLock { state in
            state.jobs.push(job)
            if state.jobs.count <= state.idle { return true }
            if crew.startThread() {
                state.threads += 1
                return true
            }
            _ = state.jobs.popNewest()
            return false
        }
        if accepted { crew.state.signal() }
        return accepted
    }

    /// Suspends the calling task, as `Task.sleep` does; needs neither libdispatch nor a thread that waits for this alone.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    nonisolated(nonsending) public func sleep(for duration: Duration) async throws {
        let nap = Nap(deadlines)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { nap.begin($0, for: duration) }
        } onCancel: {
            nap.end(CancellationError())
        }
    }

    /// Counts threads that are past their deadline.
    func countWrittenOff(_ change: Int) { crew.state.withLock { $0.writtenOff += change } }
}
