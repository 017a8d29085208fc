// SPDX-License-Identifier: LGPL-2.1-or-later
internal import CSystemd
import Glibc
import Synchronization

/// sd-event as a Swift executor: one thread runs descriptors, timers, signals, buses, and the jobs of `LoopActor`.
///
/// `@unchecked Sendable`: what other threads touch is `inbox` (a lock) and `owner` (atomic); all else belongs to the loop's thread.
public final class Loop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    public static let shared = Loop()

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var woken = false
        var exitCode: Int32?
        var started = false
    }

    private let inbox = Locked(Inbox())
    /// The thread that called `run()`, 0 before.
    private let owner = Atomic<UInt>(0)
    private let wakeDescriptor: Int32

    /// Everything below is touched by the loop's thread alone (and by `init`).
    let event: OpaquePointer
    private nonisolated(unsafe) var batch: [UnownedJob] = []
    private nonisolated(unsafe) var position = 0
    private nonisolated(unsafe) var yielded: [UnsafeContinuation<Void, Never>] = []
    private nonisolated(unsafe) var drains: [(id: Int, body: @LoopActor () -> Void)] = []
    private nonisolated(unsafe) var lastDrain = 0

    /// How long jobs may run before descriptors are looked at again.
    private static let turnNanoseconds: UInt64 = 2_000_000

    private init() {
        wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        var created: OpaquePointer?
        var source: OpaquePointer?
        guard wakeDescriptor >= 0, sd_event_new(&created) >= 0, let created else {
            preconditionFailure("cannot create the event loop: out of descriptors or memory at start")
        }
        event = created
        // Edge triggered: every write is one wake-up, and nobody has to read the counter back.
        let events = EPOLLIN.rawValue | EPOLLET.rawValue
        guard sd_event_add_io(event, &source, wakeDescriptor, events, { _, _, _, _ in 0 }, nil) >= 0 else {
            preconditionFailure("cannot watch the event loop's own descriptor")
        }
        sd_event_source_set_priority(source, Int64(SD_EVENT_PRIORITY_IMPORTANT))
    }

    public var isCurrentThread: Bool { owner.load(ordering: .relaxed) == UInt(pthread_self()) }

    // MARK: Running

    /// Runs the loop on the calling thread until `stop(code:)`; returns that code. Once per process.
    public func run() -> Int32 {
        inbox.withLock { $0.started = true }
        owner.store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
        while sd_event_get_state(event) != SD_EVENT_FINISHED {
            runJobs()
            exitIfAsked()
            if sd_event_get_state(event) == SD_EVENT_FINISHED { break }
            let result = sd_event_run(event, isBusy ? 0 : UInt64.max)
            if result < 0 && result != -EINTR { return -result }
            LoopActor.assumeIsolated { endTurn() }
        }
        var code: Int32 = 0
        sd_event_get_exit_code(event, &code)
        return code
    }

    /// Runs the loop on a thread of its own, for clients and tests. Later calls, and calls after `run()`, do nothing.
    public func startThread() {
        let first = inbox.withLock { inbox in
            defer { inbox.started = true }
            return !inbox.started
        }
        guard first else { return }
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { _ in
                _ = Loop.shared.run()
                return nil
            }, nil)
        precondition(result == 0, "cannot start the event loop's thread")
        pthread_setname_np(thread, "loop")
        pthread_detach(thread)
    }

    /// Makes `run()` return `code` after what is going on now. From any thread.
    public func stop(code: Int32 = 0) {
        inbox.withLock { $0.exitCode = code }
        eventfd_write(wakeDescriptor, 1)
    }

    private func exitIfAsked() {
        let code = inbox.withLock { inbox in
            defer { inbox.exitCode = nil }
            return inbox.exitCode
        }
        if let code { sd_event_exit(event, code) }
    }

    /// Jobs, oldest first, with those that they leave (an async handler is many jobs), until none is left or the turn is over; then
    /// the rest waits for the next turn.
    private func runJobs() {
        guard position < batch.count || takeJobs() else { return }
        let executor = asUnownedSerialExecutor()
        let end = monotonicNanoseconds() + Self.turnNanoseconds
        repeat {
            let job = batch[position]
            position += 1
            job.runSynchronously(on: executor)
            if monotonicNanoseconds() > end { return }
        } while position < batch.count || takeJobs()
    }

    /// Makes what has come the next batch.
    ///
    /// - Returns: false if nothing has.
    private func takeJobs() -> Bool {
        batch.removeAll(keepingCapacity: true)
        position = 0
        inbox.withLock { inbox in
            swap(&inbox.jobs, &batch)
            inbox.woken = false
        }
        return !batch.isEmpty
    }

    private var isBusy: Bool {
        position < batch.count || !yielded.isEmpty || inbox.withLock { !$0.jobs.isEmpty || $0.exitCode != nil }
    }

    @LoopActor
    private func endTurn() {
        for drain in drains { drain.body() }
        guard !yielded.isEmpty else { return }
        let resumed = yielded
        yielded.removeAll(keepingCapacity: true)
        for continuation in resumed { continuation.resume() }
    }

    /// Suspends the calling task until the loop has served every descriptor that is due, without a detour over other threads.
    @LoopActor
    public func nextTurn() async {
        // Without the preference a resumed task takes a detour over a thread of the global pool.
        await withTaskExecutorPreference(self) {
            await withUnsafeContinuation { yielded.append($0) }
        }
    }

    /// Runs `body` at the end of every turn, to handle what has been read already without going through epoll again.
    @LoopActor
    package func addDrain(_ body: @escaping @LoopActor () -> Void) -> Int {
        lastDrain += 1
        drains.append((lastDrain, body))
        return lastDrain
    }

    @LoopActor
    package func removeDrain(_ id: Int) { drains.removeAll { $0.id == id } }

    /// The sd_event a bus attaches to. Loop's thread only.
    @LoopActor
    package var rawEvent: OpaquePointer { event }

    /// Lets sd-event tell the service manager that the loop turns, if it asked for that.
    @LoopActor
    public func keepWatchdog() throws(LoopError) { try check(sd_event_set_watchdog(event, 1), "serve the service manager's watchdog") }

    // MARK: Executor

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let onLoop = isCurrentThread
        let mustWake = inbox.withLock { inbox in
            inbox.jobs.append(job)
            if onLoop || inbox.woken { return false }
            inbox.woken = true
            return true
        }
        if mustWake { eventfd_write(wakeDescriptor, 1) }
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    public func checkIsolated() { precondition(isCurrentThread, "this must run on the event loop's thread") }

    public func isIsolatingCurrentContext() -> Bool? { isCurrentThread }
}
