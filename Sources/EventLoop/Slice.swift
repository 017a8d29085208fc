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
    private var steps: UInt8 = 0

    /// A slice of loop time that begins now. `limit` is how long the loop may be held at a stretch.
    public init(limit: Duration = .milliseconds(1)) {
        self.limit = UInt64(limit.microseconds) * 1000
        began = monotonicNanoseconds()
    }

    /// Once the slice is used up, lets everything else that is due on the loop go first, and begins a new one.
    @LoopActor
    public mutating func breathe() async {
        if isUsedUp { await rest() }
    }

    /// The same for very small steps, of which a few are taken before the clock is looked at: `if slice.isOver() { await slice.rest() }`
    /// costs next to nothing.
    public mutating func isOver() -> Bool {
        steps &+= 1
        return steps & 7 == 0 && isUsedUp
    }

    private var isUsedUp: Bool { monotonicNanoseconds() &- began >= limit }

    /// Lets everything else that is due on the loop go first, and begins a new slice.
    @LoopActor
    public mutating func rest() async {
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
