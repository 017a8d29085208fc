// SPDX-License-Identifier: LGPL-2.1-or-later

/// How much to do at a time, so that each piece takes about as long as somebody else can be made to wait.
struct Pace {
    private let smallest: UInt64
    private let largest: UInt64
    /// How much to do next.
    private(set) var step: UInt64
    /// How long a piece is to take when nobody else works.
    private static let aim = Duration.milliseconds(40)
    private static let leastAim = Duration.milliseconds(4)

    /// Begins with the smallest step.
    init(from smallest: UInt64, to largest: UInt64) {
        self.smallest = smallest
        self.largest = largest
        step = smallest
    }

    /// Twice as much or half as much, whichever comes nearer to the aim.
    ///
    /// - Parameter company: how many take turns. With many, pieces get shorter, so that each hears of a cancel in time.
    mutating func adapt(took: Duration, company: Int) {
        let aim = max(Self.leastAim, Self.aim / max(1, company))
        if took * 2 <= aim {
            step = min(largest, step * 2)
        } else if took > aim * 2 {
            step = max(smallest, step / 2)
        }
    }
}
