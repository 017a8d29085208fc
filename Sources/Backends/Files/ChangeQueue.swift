// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop

/// Changes on their way from who sees them to the one who consumes the stream. Any thread.
///
/// Never longer than a list worth going through: after that it says ``Change/everything``. A change that waits already is not
/// put a second time, for who takes it looks at what is there then.
final class ChangeQueue: Sendable {
    private static let limit = 4096

    private struct State {
        var waiting: [Change] = []
        var members: Set<Change> = []
        var next = 0
        var consumer: CheckedContinuation<Change?, Never>?
        var isFinished = false
        var onFinish: (@Sendable () -> Void)?
    }

    private let state = Locked(State())

    /// - Parameter onFinish: called once, when the consumer has gone or ``finish()`` was called.
    init(onFinish: @escaping @Sendable () -> Void = {}) {
        state.withLock { $0.onFinish = onFinish }
    }

    /// Adds a change.
    func put(_ change: Change) {
        let consumer = state.withLock { state -> CheckedContinuation<Change?, Never>? in
            if state.isFinished { return nil }
            if let consumer = state.consumer {
                state.consumer = nil
                return consumer
            }
            if state.members.contains(.everything), change.isOfEntries { return nil }
            if change == .everything || state.members.count >= Self.limit {
                state.waiting = [.everything]
                state.members = [.everything]
                state.next = 0
            } else if state.members.insert(change).inserted {
                state.waiting.append(change)
            }
            return nil
        }
        consumer?.resume(returning: change)
    }

    /// Ends the stream after what is waiting.
    func finish() {
        let (consumer, onFinish) = state.withLock { state in
            defer { (state.consumer, state.onFinish, state.isFinished) = (nil, nil, true) }
            return (state.consumer, state.onFinish)
        }
        consumer?.resume(returning: nil)
        onFinish?()
    }

    /// The one stream of the queue. When its consumer stops, or nobody holds it any more, the queue is finished.
    func stream() -> AsyncStream<Change> {
        let guardian = Guardian(queue: self)
        return AsyncStream { await guardian.queue.take() }
    }

    /// Finishes the queue when the stream that holds it is gone.
    private final class Guardian: Sendable {
        let queue: ChangeQueue
        init(queue: ChangeQueue) { self.queue = queue }
        deinit { queue.finish() }
    }

    private func take() async -> Change? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Change?? in
                    if state.next < state.waiting.count { return .some(pop(&state)) }
                    if state.isFinished { return .some(nil) }
                    state.consumer = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
                if Task.isCancelled { finish() }
            }
        } onCancel: {
            finish()
        }
    }

    private func pop(_ state: inout State) -> Change {
        let change = state.waiting[state.next]
        state.members.remove(change)
        state.next += 1
        if state.next == state.waiting.count {
            state.waiting.removeAll(keepingCapacity: state.next < 64)
            state.next = 0
        }
        return change
    }
}

extension Change {
    fileprivate var isOfEntries: Bool {
        switch self {
        case .entry, .renamed, .everything: true
        case .lost: false
        }
    }
}
