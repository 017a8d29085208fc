// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc

/// Keeps long work on the loop from holding up everybody else: call `breathe()` after each small step.
///
///     var slice = Slice()
///     for item in items {
///         handle(item)
///         await slice.breathe()
///     }
public struct Slice {
    private let limit: UInt64
    private var began: UInt64

    /// A slice of loop time that begins now. `limit` is how long the loop may be held at a stretch.
    public init(limit: Duration = .milliseconds(1)) {
        self.limit = UInt64(limit.microseconds) * 1000
        began = monotonicNanoseconds()
    }

    /// Once the slice is used up, lets everything else that is due on the loop go first, and begins a new one.
    @LoopActor
    public mutating func breathe() async {
        guard monotonicNanoseconds() &- began >= limit else { return }
        await Loop.shared.nextTurn()
        began = monotonicNanoseconds()
    }
}

@inline(__always)
func monotonicNanoseconds() -> UInt64 { nanoseconds(on: CLOCK_MONOTONIC) }

@inline(__always)
func nanoseconds(on clock: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

extension Duration {
    /// Whole microseconds, never negative, and never more than ten thousand years.
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return min(seconds, 315_576_000_000) * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
