// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// How often a volume that others write to may be told to have changed: a few times at once after a rest, so that a file that was
/// copied is true as soon as it is closed; then once a second.
struct ChangePace {
    private static let interval = Duration.seconds(1)
    private static let burst = 3

    /// When a volume would have used up what it may, if it went on as it does.
    private var busyUntil: [String: ContinuousClock.Instant] = [:]
    /// Volumes whose last change is to be told later.
    private(set) var postponed: Set<String> = []

    /// Counts a change, or puts it off.
    ///
    /// - Returns: how long to wait before the volume is looked at again; zero if the change may be told now, nil if that look is
    ///   already due.
    mutating func delay(of name: String, now: ContinuousClock.Instant = .now) -> Duration? {
        if postponed.contains(name) { return nil }
        let until = max(busyUntil[name] ?? now, now)
        let delay = (until - now) - Self.interval * (Self.burst - 1)
        if delay > .zero {
            postponed.insert(name)
            return delay
        }
        if busyUntil.count > 1024 { busyUntil = busyUntil.filter { $0.value > now } }
        busyUntil[name] = until + Self.interval
        return .zero
    }

    /// The time of a volume that was put off has come.
    mutating func resume(_ name: String) { postponed.remove(name) }
}

/// Lets things that are asked for again and again be done once in 5 s each. Safe on any thread.
final class Lately: Sendable {
    private static let interval = Duration.seconds(5)
    private let done = Mutex<[String: ContinuousClock.Instant]>([:])

    /// Whether it is time again; then it counts as done.
    func isDue(_ name: String, now: ContinuousClock.Instant = .now) -> Bool {
        done.withLock { done in
            if let last = done[name], now - last < Self.interval { return false }
            if done.count > 1024 { done = done.filter { now - $0.value < Self.interval } }
            done[name] = now
            return true
        }
    }
}
