// SPDX-License-Identifier: LGPL-2.1-or-later

/// The same numbers in every run: SplitMix64.
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Whether an event of that probability happens.
    mutating func percent(_ chance: Int) -> Bool { Int.random(in: 0..<100, using: &self) < chance }

    /// How often something is repeated: mostly a little more than `least`, now and then much more.
    mutating func count(_ least: Int, _ most: Int?) -> Int {
        var count = least
        while count < most ?? .max, percent(count - least < 4 ? 60 : 85) { count += 1 }
        return count
    }
}
