// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Cistern
import EventLoop
import Glibc

/// qemu-img, which makes and resizes the images of every format but raw.
///
/// Files are given to it as our own open descriptors, by their names in /proc: it works on exactly the file that we hold, which need
/// not have a name of its own. It is never told to look into a backing file, and always told the format.
struct ImageTool: Sendable {
    private static let tool = Tool(program: "qemu-img", package: "qemu-utils")

    /// Whether the program is installed, and if not, what to do.
    static var absence: String { tool.absence }

    /// Continues "Cannot", for messages.
    let action: String

    /// A descriptor of ours as the program opens it. The descriptor must stay open as long as the program runs.
    static func path(_ file: Descriptor) -> String { "/proc/\(getpid())/fd/\(file.raw)" }

    /// Runs the program until it succeeds; it ends early when the operation is cancelled.
    ///
    /// - Throws: `cancelled`, `timedOut`, `noSpace` and whatever else it complained of, in its own words.
    func run(_ arguments: [String], deadline: Duration, _ progress: Progress) async throws(StorageError) {
        for _ in 0..<Self.attempts {
            let ended = try await Self.tool.end(of: arguments, for: action, deadline: deadline, progress) { pid in
                if let note = ProcessNote(pid) { Task { try? await progress.journal(note.line) } }
            }
            if ended.succeeded { return }
            let complaint = complaint(of: ended)
            // It measures how fast it derives keys, and gives up where the kernel counts time too coarsely for that.
            if !complaint.says("accurate CPU usage") { throw failure(complaint) }
        }
        throw failure("it could not measure how fast it derives keys")
    }

    private static let attempts = 20

    /// What the program said, without the names of our descriptors.
    private func complaint(of result: ChildResult) -> String {
        // Before the cause it may tell that it could not remove the file, which has no name.
        let text = Self.tool.complaint(of: result) { !$0.says("deleting file") }
        guard text.hasPrefix("/proc/\(getpid())/fd/"), let end = text.place(of: ": ") else { return text }
        return String(text[end.upperBound...])
    }

    private func failure(_ text: String) -> StorageError {
        let code: StorageError.Code =
            text.says("No space left on device") ? .noSpace : text.says("Failed to get") && text.says("lock") ? .busy : .failed
        return StorageError(code, "Cannot \(action): qemu-img says: \(text).")
    }
}

/// What the journal holds of a program that runs: `process PID START`, so that one which outlived us is found, and no other one.
struct ProcessNote {
    private let pid: Int32
    /// In ticks since the kernel started: field 22 of /proc/PID/stat, see proc(5).
    private let start: String

    init?(_ pid: Int32) {
        guard let start = Self.start(of: pid) else { return nil }
        self.pid = pid
        self.start = start
    }

    init?(line: String) {
        let parts = line.split(separator: " ")
        guard parts.count == 3, parts[0] == "process", let pid = Int32(parts[1]), pid > 1 else { return nil }
        self.pid = pid
        start = String(parts[2])
    }

    var line: String { "process \(pid) \(start)" }

    /// Ends the process and its group, if it is still the same, and waits a moment until it is gone. Blocks.
    func end() {
        let process = linux_pidfd_open(pid)
        guard process >= 0 else { return }
        defer { close(process) }
        guard Self.start(of: pid) == start else { return }
        kill(-pid, SIGKILL)
        kill(pid, SIGKILL)
        var ended = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
        poll(&ended, 1, 5000)
    }

    private static func start(of pid: Int32) -> String? {
        KernelText.status(of: pid, 22)
    }
}
