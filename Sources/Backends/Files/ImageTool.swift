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
    private static let program = "qemu-img"

    /// Whether the program is installed, and if not, what to do.
    static var absence: String {
        Child.path(of: program) == nil ? "the program qemu-img is not installed; install it (Debian: qemu-utils)" : ""
    }

    /// Continues "Cannot", for messages.
    let action: String

    /// A descriptor of ours as the program opens it. The descriptor must stay open as long as the program runs.
    static func path(_ file: Descriptor) -> String { "/proc/\(getpid())/fd/\(file.raw)" }

    /// Runs the program to its end; it ends early when the operation is cancelled.
    ///
    /// - Throws: `cancelled`, `timedOut`, `noSpace` and whatever else it complained of, in its own words.
    func run(_ arguments: [String], deadline: Duration, _ progress: Progress) async throws(StorageError) {
        for _ in 0..<Self.attempts {
            let complaint = try await runOnce(arguments, deadline, progress)
            guard let complaint else { return }
            // It measures how fast it derives keys, and gives up where the kernel counts time too coarsely for that.
            if !complaint.says("accurate CPU usage") { throw failure(complaint) }
        }
        throw failure("it could not measure how fast it derives keys")
    }

    private static let attempts = 20

    /// - Returns: what the program complained of; nil if it succeeded.
    private func runOnce(_ arguments: [String], _ deadline: Duration, _ progress: Progress) async throws(StorageError) -> String? {
        try progress.checkCancelled()
        let work = Task { () async -> Result<ChildResult, LoopError> in
            do throws(LoopError) {
                return .success(
                    try await Child.run(Self.program, arguments, deadline: deadline) { pid in
                        if let note = ProcessNote(pid) { Task { try? await progress.journal(note.line) } }
                    })
            } catch {
                return .failure(error)
            }
        }
        progress.onCancel { work.cancel() }
        defer { progress.onCancel(nil) }
        let result: ChildResult
        switch await work.value {
        case .success(let ended): result = ended
        case .failure(let error):
            try progress.checkCancelled()
            throw failure(error, deadline)
        }
        return result.succeeded ? nil : complaint(of: result)
    }

    private func failure(_ error: LoopError, _ deadline: Duration) -> StorageError {
        switch error.code {
        case ENOENT: StorageError(.notSupported, "Cannot \(action): \(Self.absence).")
        case ETIMEDOUT:
            StorageError(.timedOut, "Cannot \(action): qemu-img did not end within \(deadline.components.seconds) s and was ended.")
        default: StorageError(.failed, "Cannot \(action): \(error).")
        }
    }

    /// What the program said, without its own name and without the names of our descriptors.
    private func complaint(of result: ChildResult) -> String {
        // Before the cause it may tell that it could not remove the file, which has no name.
        let line = result.complaint.split(separator: "\n").last { !$0.says("deleting file") }
        guard var text = line.map(String.init) else { return "it ended with status \(result.status), signal \(result.signal)" }
        for prefix in ["qemu-img: ", path(prefixOf: text)] where !prefix.isEmpty && text.hasPrefix(prefix) {
            text.removeFirst(prefix.count)
        }
        return text
    }

    private func failure(_ text: String) -> StorageError {
        let code: StorageError.Code =
            text.says("No space left on device") ? .noSpace : text.says("Failed to get") && text.says("lock") ? .busy : .failed
        return StorageError(code, "Cannot \(action): qemu-img says: \(text)\(text.hasSuffix(".") ? "" : ".")")
    }

    private func path(prefixOf text: String) -> String {
        let own = "/proc/\(getpid())/fd/"
        let text = text.hasPrefix("qemu-img: ") ? text.dropFirst("qemu-img: ".count) : text[...]
        guard text.hasPrefix(own), let end = text.place(of: ": ") else { return "" }
        return String(text[..<end.upperBound])
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
        guard let stat = KernelText.read("/proc/\(pid)/stat"), let name = stat.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        // What follows the name begins with field 3.
        let fields = stat[stat.utf8.index(after: name)...].split(separator: " ")
        return fields.count > 19 ? String(fields[19]) : nil
    }
}
