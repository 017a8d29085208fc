// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// The threads of Swift's global executor: for actors without an executor of their own, and tasks of no actor.
///
/// By default that is libdispatch, which, once used, wakes the process every second for good, to see whether its threads are blocked.
/// A process that has called ``install()`` does nothing while there is nothing to do: the threads appear on demand, stay, and wait
/// without a timeout. Work runs in order, whatever its priority. Two things still go to libdispatch, and must be avoided:
/// `Task.sleep`, in place of which there is ``Workers/sleep(for:)``, and the main actor, whose thread is the loop's.
public final class GlobalPool: Sendable {
    /// What the runtime's hooks feed. Lives as long as the process, so that no thread can outlive what it works on.
    fileprivate static let shared = GlobalPool(width: max(2, min(4, sysconf(Int32(_SC_NPROCESSORS_ONLN))))) { linux_job_run(raw($0)) }

    private struct State {
        var jobs = Fifo<UnownedJob>()
        var threads = 0
        /// Where threads wait; the last one to have worked is the first to work again.
        var idle: [Seat] = []
    }

    private let state = Locked(State())
    private let width: Int
    private let perform: @Sendable (UnownedJob) -> Void

    /// - Parameters:
    ///   - width: how many threads there may be.
    ///   - perform: runs a job on the calling thread.
    init(width: Int, perform: @escaping @Sendable (UnownedJob) -> Void) {
        self.width = width
        self.perform = perform
    }

    /// Takes libdispatch's place for the rest of the process's life. To be called once, before the first task.
    ///
    /// - Throws: `LoopError` if there is not even one thread to be had.
    public static func install() throws(LoopError) {
        guard shared.startThread() else { throw LoopError("start a thread for tasks", code: -EAGAIN) }
        linux_take_jobs()
    }

    /// How many threads there are.
    var threads: Int { state.withLock { $0.threads } }

    /// Runs a job on one of the threads. From any thread.
    func submit(_ job: UnownedJob) {
        let (seat, start) = state.withLock { state in
            state.jobs.push(job)
            let seat = state.idle.popLast()
            return (seat, seat == nil && state.threads < width)
        }
        seat?.wake()
        // Where no thread is to be had, those that there are do the work.
        if start { _ = startThread() }
    }

    private func startThread() -> Bool {
        let isFree = state.withLock { state in
            if state.threads < width { state.threads += 1 } else { return false }
            return true
        }
        guard isFree else { return true }
        let context = Unmanaged.passRetained(self)
        let failure = linux_thread(
            { raw in
                guard let raw else { return nil }
                linux_name_thread("tasks")
                Unmanaged<GlobalPool>.fromOpaque(raw).takeRetainedValue().work()
                return nil
            }, context.toOpaque())
        if failure != 0 {
            context.release()
            state.withLock { $0.threads -= 1 }
        }
        return failure == 0
    }

    /// A thread's life.
    private func work() {
        let seat = Seat()
        while true { perform(next(seat)) }
    }

    /// Blocks until there is a job.
    private func next(_ seat: Seat) -> UnownedJob {
        while true {
            let job = state.withLock { state in
                let job = state.jobs.pop()
                if job == nil { state.idle.append(seat) }
                return job
            }
            if let job { return job }
            seat.wait()
        }
    }

    // A job is one pointer, which is how the runtime's C interface shows it. It belongs to whoever runs it.
    private static func raw(_ job: UnownedJob) -> UnsafeMutableRawPointer { unsafeBitCast(job, to: UnsafeMutableRawPointer.self) }
    fileprivate static func job(_ raw: UnsafeMutableRawPointer) -> UnownedJob { unsafeBitCast(raw, to: UnownedJob.self) }
}

@c(cistern_take_job)
func takeJob(_ raw: UnsafeMutableRawPointer) { GlobalPool.shared.submit(GlobalPool.job(raw)) }
