// SPDX-License-Identifier: LGPL-2.1-or-later

/// Time and chance, as the engine gets them: from the machine, or from a test.
public struct Environment: Sendable {
    /// Microseconds since the epoch.
    public let now: @Sendable () -> UInt64
    /// Returns after the duration; early if the task is cancelled.
    public let sleep: @Sendable (Duration) async -> Void
    /// A new lower-case textual UUID.
    public let makeUUID: @Sendable () -> String

    /// An environment; only `now` has to be told, for the standard library has no wall clock.
    public init(
        now: @escaping @Sendable () -> UInt64,
        sleep: @escaping @Sendable (Duration) async -> Void = { try? await ContinuousClock().sleep(for: $0) },
        makeUUID: @escaping @Sendable () -> String = { randomUUID() }
    ) {
        self.now = now
        self.sleep = sleep
        self.makeUUID = makeUUID
    }

    /// A version 4 UUID (RFC 9562, section 5.4).
    public static func randomUUID() -> String {
        let high = UInt64.random(in: .min ... .max) & ~0xF000 | 0x4000
        let low = UInt64.random(in: .min ... .max) & ~(0b11 << 62) | 0b10 << 62
        func hex(_ number: UInt64, _ digits: Int) -> String {
            let text = String(number, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        return [
            hex(high >> 32, 8), hex(high >> 16 & 0xFFFF, 4), hex(high & 0xFFFF, 4), hex(low >> 48, 4), hex(low & 0xFFFF_FFFF_FFFF, 12),
        ].joined(separator: "-")
    }
}
