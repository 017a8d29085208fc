// SPDX-License-Identifier: LGPL-2.1-or-later

/// What the bus says of a running job, and how a person reads it.
struct Progress: Equatable, Sendable {
    var phase = ""
    var bytesDone: UInt64 = 0
    var bytesTotal = Sizes.unknown
    /// 0 to 1; below 0 is unknown.
    var fraction = -1.0
    /// Bytes a second; 0 is unknown.
    var rate: UInt64 = 0
    /// Microseconds since the epoch; 0 is unknown.
    var expectedEnd: UInt64 = 0

    private var percent: String? { fraction >= 0 ? "\(Int(fraction * 100)) %" : nil }

    private var bytes: String? {
        guard bytesDone > 0 || bytesTotal != Sizes.unknown else { return nil }
        let done = Sizes.describe(bytesDone)
        return bytesTotal == Sizes.unknown ? done : "\(done) of \(Sizes.describe(bytesTotal))"
    }

    private func timeLeft(now: UInt64) -> String? {
        guard expectedEnd > 0, fraction < 1 else { return nil }
        let left = expectedEnd > now ? (expectedEnd - now + 500_000) / 1_000_000 : 0
        return describeSeconds(left) + " left"
    }

    private func facts(now: UInt64) -> [String] {
        [bytes, rate > 0 ? Sizes.describe(rate) + "/s" : nil, timeLeft(now: now)].compactMap { $0 }
    }

    /// `12 % 512 MiB of 4 GiB, 800 MiB/s, 4 s left`, for pipes and logs; empty while there is nothing to tell.
    func plain(now: UInt64) -> String {
        [percent, facts(now: now).joined(separator: ", ")].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// `big ████████░░░░░░░░  45 %  1.8 GiB of 4 GiB  800 MiB/s  4 s left`, no wider than `width`; no bar while the end is unknown.
    func bar(title: String, width: Int, unicode: Bool, now: UInt64) -> String {
        let tail = ([percent ?? phase] + facts(now: now)).filter { !$0.isEmpty }.joined(separator: "  ")
        let room = width - title.count - tail.count - 4
        guard room >= 10, fraction >= 0 else { return String("\(title)  \(tail)".prefix(max(1, width - 1))) }
        return "\(title) \(drawing(min(room, 40), unicode: unicode)) \(tail)"
    }

    private func drawing(_ length: Int, unicode: Bool) -> String {
        let (full, empty) = unicode ? ("█", "░") : ("#", "-")
        let cells = unicode ? length : length - 2
        let filled = Int(max(0, min(1, fraction)) * Double(cells))
        let line = String(repeating: full, count: filled) + String(repeating: empty, count: cells - filled)
        return unicode ? line : "[" + line + "]"
    }
}

/// Shows progress where standard output goes: one line that is drawn again on a terminal, a line a second at most in a pipe.
struct ProgressDisplay {
    private let title: String
    private let live: Bool
    private let unicode: Bool
    private var lastPlain: UInt64 = 0
    private var last: Progress?

    init(title: String) {
        self.title = printable(title)
        live = Terminal.outputIsTerminal
        unicode = Terminal.speaksUnicode
    }

    mutating func show(_ progress: Progress, now: UInt64) {
        if live {
            Terminal.text("\r\u{1b}[K" + progress.bar(title: title, width: Terminal.width, unicode: unicode, now: now))
            last = progress
        } else if now >= lastPlain + 1_000_000 {
            let line = progress.plain(now: now)
            if line.isEmpty || progress.bytesDone == 0 { return }
            Terminal.line(line)
            lastPlain = now
        }
    }

    /// Leaves the last bar on the screen, the cursor below it; what was no bar is wiped away.
    mutating func leave() {
        if let last { Terminal.text(last.fraction >= 0 && last.bytesDone > 0 ? "\n" : "\r\u{1b}[K") }
        last = nil
    }
}
