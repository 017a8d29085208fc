// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import EventLoop
import Glibc

/// How a job that is followed is shown.
@LoopActor
protocol JobView {
    func begin(_ title: String) throws
    func show(_ job: Properties, _ path: ObjectPath)
    /// A question is about to be asked: what stands on the terminal stays, the cursor goes below it.
    func pause()
    func end()
}

/// How a job is shown to people: a bar on a terminal, else lines.
@LoopActor
func viewForPeople() -> any JobView {
    if Terminal.messagesAreSeen { BarView() } else { PlainView() }
}

/// Shows nothing.
struct SilentView: JobView {
    func begin(_ title: String) {}
    func show(_ job: Properties, _ path: ObjectPath) {}
    func pause() {}
    func end() {}
}

/// Prints the job's properties as a line of JSON whenever they change.
struct JSONView: JobView {
    func begin(_ title: String) {}
    func show(_ job: Properties, _ path: ObjectPath) { Terminal.line(JSON.text(of: job, path)) }
    func pause() {}
    func end() {}
}

/// Prints a line for logs, at most every few seconds.
@LoopActor
final class PlainView: JobView {
    private static let interval: UInt64 = 3_000_000
    private var last: UInt64 = 0

    func begin(_ title: String) {}

    func show(_ job: Properties, _ path: ObjectPath) {
        let now = microsecondsSinceEpoch()
        let progress = Progress(job)
        guard progress.bytesDone > 0, now >= last + Self.interval else { return }
        Terminal.line(progress.plain(now: now), to: .messages)
        last = now
    }

    func pause() {}
    func end() {}
}

/// One line on the terminal, drawn again and again in place; it fits however the window is resized.
@LoopActor
final class BarView: JobView {
    private let unicode = Terminal.speaksUnicode
    private var title = ""
    private var progress: Progress?
    private var drawnWidth = 0
    private var resized: Source?

    func begin(_ title: String) throws {
        self.title = printable(title)
        resized = try Loop.shared.onSignal(SIGWINCH) { [weak self] in self?.redraw() }
    }

    func show(_ job: Properties, _ path: ObjectPath) {
        progress = Progress(job)
        draw()
    }

    private func draw() {
        guard let progress else { return }
        let line = progress.bar(title: title, width: Terminal.width - 1, unicode: unicode, now: microsecondsSinceEpoch())
        drawnWidth = line.displayWidth
        Terminal.text("\r\u{1b}[K" + line, to: .messages)
    }

    /// In a window that became narrower the line has been broken into several: all of them go.
    private func redraw() {
        guard progress != nil, drawnWidth > 0 else { return }
        let above = (drawnWidth - 1) / Terminal.width
        Terminal.text("\r" + (above > 0 ? "\u{1b}[\(above)A" : "") + "\u{1b}[J", to: .messages)
        draw()
    }

    func pause() {
        if progress != nil { Terminal.text("\n", to: .messages) }
        progress = nil
    }

    /// Wipes the line: the summary takes its place.
    func end() {
        resized = nil
        if progress != nil { Terminal.text("\r\u{1b}[K", to: .messages) }
        progress = nil
    }
}
