// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import CLinux
import EventLoop
import Glibc
import TestSupport
import Testing

/// cisternctl on a terminal of its own: reads what it draws, types what a person would.
@LoopActor final class Screen {
    private let ours: Int32
    private let process: pid_t
    private var source: Source?
    private var deadline: Source?
    /// Everything that was written, control characters included.
    private(set) var text = ""
    /// Where the next `wait` begins to look.
    private var position = 0
    private var isClosed = false
    private var waiter: (wanted: String?, continuation: CheckedContinuation<Bool, Never>)?
    private var bytes: [UInt8] = []

    /// Starts the command with the terminal as its controlling one.
    init(
        _ harness: Harness, _ arguments: String..., columns: UInt16 = 80, environment: [String: String] = [:]
    ) throws {
        var (master, slave): (Int32, Int32) = (-1, -1)
        try #require(openpty(&master, &slave, nil, nil, nil) == 0, "no pseudo-terminal")
        ours = master
        _ = fcntl(master, F_SETFD, FD_CLOEXEC)
        _ = fcntl(slave, F_SETFD, FD_CLOEXEC)
        Self.resize(master, columns)
        let variables = [
            "LC_ALL": "C.UTF-8", "TERM": "xterm", "PATH": "/usr/bin:/bin", "HOME": harness.root, "CISTERN_BUS": harness.address,
        ].merging(environment) { $1 }
        process = try Self.spawn(["setsid", "--ctty", builtProgram("cisternctl")] + arguments, variables, slave)
        close(slave)
        _ = fcntl(master, F_SETFL, O_NONBLOCK)
        source = try Loop.shared.watch(master) { [weak self] _ in self?.receive() }
    }

    isolated deinit {
        source?.cancel()
        close(ours)
    }

    private static func spawn(_ words: [String], _ variables: [String: String], _ terminal: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in 0...2 { posix_spawn_file_actions_adddup2(&actions, terminal, descriptor) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments = words.map { strdup($0) } + [nil]
        var environment = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + environment { free(text) } }
        var process = pid_t()
        let result = posix_spawnp(&process, words[0], &actions, &attributes, &arguments, &environment)
        guard result == 0 else { throw BusError.failed("cannot start \(words): \(String(cString: strerror(result)))") }
        return process
    }

    private static func resize(_ terminal: Int32, _ columns: UInt16) {
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
    }

    /// The window gets another width; the program hears of it.
    func resize(columns: UInt16) { Self.resize(ours, columns) }

    /// What a person types. Ctrl-C is `interrupt`.
    func type(_ keys: String) {
        let bytes = Array(keys.utf8)
        _ = write(ours, bytes, bytes.count)
    }

    static let interrupt = "\u{3}"

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(ours, &buffer, buffer.count)
        if count > 0 {
            bytes += buffer[..<count]
            text = String(decoding: bytes, as: UTF8.self)
        } else if count < 0, errno != EAGAIN {
            isClosed = true
            source?.cancel()
        }
        answer()
    }

    /// What has come since the last `wait`.
    private var news: Substring { text.dropFirst(position) }

    private func answer() {
        guard let waiter else { return }
        if let wanted = waiter.wanted, let found = news.firstRange(of: wanted) {
            position = text.distance(from: text.startIndex, to: found.upperBound)
            finish(true)
        } else if isClosed {
            finish(waiter.wanted == nil)
        }
    }

    private func finish(_ isGood: Bool) {
        deadline = nil
        waiter?.continuation.resume(returning: isGood)
        waiter = nil
    }

    private func comes(_ wanted: String?) async throws -> Bool {
        deadline = try Loop.shared.timer(after: .seconds(30)) { [weak self] in self?.finish(false) }
        return await withCheckedContinuation { continuation in
            waiter = (wanted, continuation)
            answer()
        }
    }

    /// Waits until a text is written after what was waited for before.
    func wait(for wanted: String, location: SourceLocation = #_sourceLocation) async throws {
        let isThere = try await comes(wanted)
        try #require(isThere, "“\(wanted)” did not come; the terminal shows:\n\(text)", sourceLocation: location)
    }

    /// Waits for the end of the program: its exit status.
    func end(location: SourceLocation = #_sourceLocation) async throws -> Int32 {
        if try await !comes(nil) {
            kill(process, SIGKILL)
            Issue.record("cisternctl did not end; the terminal shows:\n\(text)", sourceLocation: location)
        }
        return await Self.status(of: process)
    }

    @concurrent
    private static func status(of process: pid_t) async -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }

    /// The lines that were drawn in place, one after the other.
    var drawings: [String] {
        text.components(separatedBy: "\r\u{1b}[K").dropFirst().compactMap { $0.components(separatedBy: "\r").first }.filter { !$0.isEmpty }
    }
}
