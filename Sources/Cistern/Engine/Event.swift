// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// Something the outside should know. Events carry the state they announce, in the order in which it came about.
public enum Event: Sendable {
    /// The pool is new, or something of it changed.
    case pool(Pool, PoolSnapshot)
    case poolRemoved(String)
    case volumes(pool: String, [VolumeChange])
    /// The job is new, or something of it changed.
    case job(Job, JobSnapshot)
    case jobFinished(JobSnapshot)
    case jobRemoved(UInt64)
    /// Something that an administrator should find in the journal, and that no caller was told.
    case notice(pool: String, String)
}

/// What happened to one volume of a list.
public enum VolumeChange: Sendable, Hashable {
    case added(Volume)
    case changed(Volume)
    case removed(String)
}

/// Events on their way out: many threads put, one consumer takes. Safe on any thread.
public final class EventQueue: Sendable {
    private struct State {
        var events: [Event] = []
        /// How many events have ever been put.
        var emitted: UInt64 = 0
        /// Of how many the outside knows.
        var told: UInt64 = 0
        var wake: (@Sendable () -> Void)?
        var waiting: [(mark: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// A queue without a consumer; it keeps what it gets until one comes.
    public init() {}

    /// Puts an event at the end and wakes the consumer.
    public func emit(_ event: Event) {
        let wake = state.withLock { state in
            state.events.append(event)
            state.emitted += 1
            return state.events.count == 1 ? state.wake : nil
        }
        wake?()
    }

    /// Names what to do when the queue is no longer empty; called on the thread that emits.
    public func onEvent(_ wake: @escaping @Sendable () -> Void) {
        let pending = state.withLock { state in
            state.wake = wake
            return !state.events.isEmpty
        }
        if pending { wake() }
    }

    /// Takes all there is.
    public func take() -> [Event] {
        state.withLock { state in
            let events = state.events
            state.events = []
            return events
        }
    }

    /// The consumer has told the outside of one event more, of those that it took, in their order.
    public func tellOne() {
        let due = state.withLock { state in
            state.told += 1
            let mark = state.told
            guard state.waiting.contains(where: { $0.mark <= mark }) else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting.removeAll { $0.mark <= mark } }
            return state.waiting.filter { $0.mark <= mark }.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    /// Returns when the outside knows of all events that have been put by now; at once if nobody takes them.
    public func becomeKnown() async {
        await withCheckedContinuation { continuation in
            let isKnown = state.withLock { state in
                if state.wake == nil || state.told >= state.emitted { return true }
                state.waiting.append((state.emitted, continuation))
                return false
            }
            if isKnown { continuation.resume() }
        }
    }
}
