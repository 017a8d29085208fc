// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// Lets tasks through one at a time, first come first served. Actors are re-entrant; this is not.
final class Turnstile: Sendable {
    private struct State {
        var taken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Runs `body` when everybody who came before is through.
    func pass<T: Sendable>(_ body: @Sendable () async throws(StorageError) -> T) async throws(StorageError) -> T {
        await enter()
        defer { leave() }
        return try await body()
    }

    /// Waits for the turn of whoever calls; ``leave()`` must follow.
    func enter() async {
        await withCheckedContinuation { continuation in
            let free = state.withLock { state in
                if state.taken {
                    state.waiting.append(continuation)
                    return false
                }
                state.taken = true
                return true
            }
            if free { continuation.resume() }
        }
    }

    /// Lets the next one in.
    func leave() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.taken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
