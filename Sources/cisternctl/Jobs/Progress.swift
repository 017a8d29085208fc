// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus

/// What the bus says of a running job, and how a person reads it.
struct Progress: Sendable {
    let phase: String
    let bytesDone: UInt64
    let bytesTotal: UInt64
    /// 0 to 1; below 0 is unknown.
    let fraction: Double
    /// Bytes a second; 0 is unknown.
    let rate: UInt64
    /// Microseconds since the epoch; 0 is unknown.
    let expectedEnd: UInt64

    init(_ job: Properties) {
        phase = printable(job.text("Phase").isEmpty ? job.text("State") : job.text("Phase"))
        bytesDone = job.count("BytesDone")
        bytesTotal = job.number("BytesTotal")
        fraction = job["Progress"]?.double ?? -1
        rate = job.count("Rate")
        expectedEnd = job.count("ExpectedEndTime")
    }

    private var percent: String { fraction >= 0 ? "\(Int(min(1, fraction) * 100)) %" : "" }

    private var bytes: String {
        guard bytesDone > 0 || bytesTotal != Sizes.unknown else { return "" }
        let done = Sizes.describe(bytesDone)
        return bytesTotal == Sizes.unknown ? done : "\(done) of \(Sizes.describe(bytesTotal))"
    }

    private var speed: String { rate > 0 ? Sizes.describe(rate) + "/s" : "" }

    private func timeLeft(now: UInt64) -> String {
        guard expectedEnd > 0, fraction < 1 else { return "" }
        let left = expectedEnd > now ? (expectedEnd - now + 500_000) / 1_000_000 : 0
        return describeSeconds(left) + " left"
    }

    /// `12 % 512 MiB of 4 GiB, 800 MiB/s, 4 s left`, for pipes and logs; the phase while there is nothing else to tell.
    func plain(now: UInt64) -> String {
        let facts = [bytes, speed, timeLeft(now: now)].filter { !$0.isEmpty }.joined(separator: ", ")
        return facts.isEmpty ? phase : percent.isEmpty ? facts : "\(percent) \(facts)"
    }

    /// `big ████████░░░░░░░░  45 %  1.8 GiB of 4 GiB  800 MiB/s  4 s left`, no wider than `width`: what is told last goes first, the
    /// bar when less than ten cells are left for it. No bar while the end is unknown.
    func bar(title: String, width: Int, unicode: Bool, now: UInt64) -> String {
        let left = timeLeft(now: now)
        let first = percent.isEmpty ? phase : percent
        for facts in [[first, bytes, speed, left], [first, bytes, left], [first, left], [first]] {
            let tail = facts.filter { !$0.isEmpty }.joined(separator: "  ")
            let room = width - title.displayWidth - tail.displayWidth - 4
            guard room >= 0 else { continue }
            guard room >= 10, fraction >= 0 else { return "\(title)  \(tail)" }
            return "\(title)  \(drawing(min(room, 40), unicode: unicode))  \(tail)"
        }
        return "\(title.prefix(columns: max(0, width - first.displayWidth - 2)))  \(first)".prefix(columns: width)
    }

    private func drawing(_ length: Int, unicode: Bool) -> String {
        let (full, empty) = unicode ? ("█", "░") : ("#", "-")
        let cells = unicode ? length : length - 2
        let filled = Int(max(0, min(1, fraction)) * Double(cells))
        let line = String(repeating: full, count: filled) + String(repeating: empty, count: cells - filled)
        return unicode ? line : "[" + line + "]"
    }
}
