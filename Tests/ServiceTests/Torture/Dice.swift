// SPDX-License-Identifier: LGPL-2.1-or-later
import Glibc
import TestSupport

/// Chance that can be repeated: the same seed and round make the same choices.
struct Dice: RandomNumberGenerator {
    private var numbers: SplitMix

    init(seed: UInt64, round: Int) {
        numbers = SplitMix(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(truncatingIfNeeded: round) &* 0xD1B5_4A32_D192_ED03)
        _ = next()
    }

    mutating func next() -> UInt64 { numbers.next() }

    /// Whether an event of that probability happens.
    mutating func percent(_ chance: Int) -> Bool { Int.random(in: 0..<100, using: &self) < chance }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func pick<T>(_ choices: [T]) -> T? { choices.randomElement(using: &self) }
}

/// Bytes that tell one file from every other.
func content(_ seed: UInt64, _ count: Int) -> [UInt8] {
    var dice = Dice(seed: seed, round: 1)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count { withUnsafeBytes(of: dice.next()) { bytes += $0 } }
    return Array(bytes.prefix(count))
}

/// The first bytes of a file.
func head(of path: String, _ count: Int) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: count)
    let got = pread(descriptor, &bytes, count, 0)
    return Array(bytes.prefix(max(0, got)))
}

/// The daemon that long tests are about: that of `CISTERN_TEST_DAEMON`, or of this build.
var testedDaemon: String { getenv("CISTERN_TEST_DAEMON").map { String(cString: $0) } ?? builtProgram("cisternd") }

/// What the environment says, if it is a number.
func environmentNumber(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
