// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// Calls handlers at their times, from one thread of its own that sleeps as long as there is nothing to do.
final class Deadlines: Sendable {
    private struct Entry {
        let time: UInt64
        let token: UInt64
        let handler: @Sendable () -> Void
    }

    private struct State {
        /// By time, then token.
        var entries: [Entry] = []
        var lastToken: UInt64 = 0
        /// When the thread wakes by itself.
        var armed = UInt64.max
        var hasThread = false
        var closed = false
    }

    private let state = Locked(State())

    /// Calls `handler` on the deadline thread at `time` (monotonic nanoseconds) unless removed first. The handler must not block.
    ///
    /// - Returns: what ``remove(_:)`` takes, or nil if the deadline thread could not be started.
    func add(at time: UInt64, _ handler: @escaping @Sendable () -> Void) -> Token? {
        let (token, wake) = state.withLock { state -> (Token?, Bool) in
            if !state.hasThread { state.hasThread = startThread() }
            guard state.hasThread else { return (nil, false) }
            state.lastToken += 1
            let entry = Entry(time: time, token: state.lastToken, handler: handler)
            state.entries.insert(entry, at: Self.index(of: time, entry.token, in: state.entries))
            return (Token(time: time, number: entry.token), time < state.armed)
        }
        if wake { state.signal() }
        return token
    }

    /// Forgets a handler; it may be running right now.
    func remove(_ token: Token) {
        state.withLock { state in
            let index = Self.index(of: token.time, token.number, in: state.entries)
            if index < state.entries.count, state.entries[index].token == token.number { state.entries.remove(at: index) }
        }
    }

    /// Ends the thread.
    func close() {
        state.withLock { $0.closed = true }
        state.broadcast()
    }

    /// One call of ``add(at:_:)``.
    struct Token: Sendable {
        fileprivate let time: UInt64
        fileprivate let number: UInt64
    }

    /// The first index whose entry is not before (time, token).
    private static func index(of time: UInt64, _ token: UInt64, in entries: [Entry]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if (entries[middle].time, entries[middle].token) < (time, token) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func startThread() -> Bool {
        let context = Unmanaged.passRetained(self)
        let failure = linux_thread(
            { raw in
                guard let raw else { return nil }
                linux_name_thread("deadlines")
                Unmanaged<Deadlines>.fromOpaque(raw).takeRetainedValue().watch()
                return nil
            }, context.toOpaque())
        if failure != 0 { context.release() }
        return failure == 0
    }

    private func watch() {
        while let handler = next() { handler() }
    }

    /// Sleeps until a handler is due; nil when there will be no more.
    private func next() -> (@Sendable () -> Void)? {
        while true {
            let now = monotonicNanoseconds()
            let (handler, time, closed) = state.withLock { state -> ((@Sendable () -> Void)?, UInt64, Bool) in
                guard let first = state.entries.first, first.time <= now else {
                    state.armed = state.entries.first?.time ?? .max
                    return (nil, state.armed, state.closed)
                }
                return (state.entries.removeFirst().handler, first.time, state.closed)
            }
            if closed { return nil }
            if let handler { return handler }
            sleep(from: now, to: time)
        }
    }

    /// Sleeps until `time`, an earlier deadline, or the end.
    private func sleep(from now: UInt64, to time: UInt64) {
        let changed: (inout State) -> Bool? = { state in state.closed || (state.entries.first?.time ?? .max) < time ? true : nil }
        if time == .max { _ = state.wait(changed) } else { _ = state.wait(atMost: .nanoseconds(time - now), changed) }
    }
}
