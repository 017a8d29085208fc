// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// A running program and its pipes. It keeps itself alive until the process has been reaped, whoever still waits for it.
@LoopActor
final class ChildProcess {
    private(set) var pid: Int32 = 0
    private let command: Command
    private var pidfd: Int32 = -1
    private let output = Pipe()
    private let errors = Pipe()
    /// Closes on exec; else holds the errno of why there was none.
    private let failure = Pipe()
    private var sources: [Source] = []
    private var waiter: CheckedContinuation<Result<ChildResult, LoopError>, Never>?
    private var answer: Result<ChildResult, LoopError>?
    /// Why we killed it; 0 if we did not.
    private var killedBecause: Int32 = 0

    /// Starts the program.
    init(_ command: Command, _ deadline: Duration) throws(LoopError) {
        self.command = command
        do throws(LoopError) {
            try spawn()
            sources.append(try Loop.shared.watch(pidfd) { _ in self.ended() })
            try output.watch()
            try errors.watch()
            sources.append(try Loop.shared.timer(after: deadline) { self.kill(because: ETIMEDOUT) })
        } catch {
            abandon()
            throw error
        }
    }

    /// Waits for the end of the process, or for the failure of killing it. Once only.
    func end() async -> Result<ChildResult, LoopError> {
        await withCheckedContinuation { continuation in
            if let answer { continuation.resume(returning: answer) } else { waiter = continuation }
        }
    }

    /// Kills the process group; the first reason counts.
    func kill(because reason: Int32) {
        guard answer == nil, killedBecause == 0 else { return }
        killedBecause = reason
        Glibc.kill(-pid, SIGKILL)
        // In uninterruptible sleep (a dead network file system) it stays: its caller must not.
        if let timer = try? Loop.shared.timer(after: Child.grace, handler: { self.finish(.failure(self.killed)) }) {
            sources.append(timer)
        } else {
            finish(.failure(killed))
        }
    }

    private var killed: LoopError { LoopError("finish \(command.path)", code: killedBecause) }

    private func spawn() throws(LoopError) {
        let input = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard input >= 0 else { throw LoopError("open /dev/null", code: errno) }
        defer { close(input) }
        try output.make()
        try errors.make()
        try failure.make()
        let result = command.withSpawn { spawn in
            spawn.input = input
            spawn.output = output.writing
            spawn.errors = errors.writing
            spawn.status = failure.writing
            return linux_spawn(&spawn)
        }
        for pipe in [output, errors, failure] { pipe.closeWriting() }
        guard result > 0 else { throw LoopError("start \(command.path)", code: result) }
        pid = result
        pidfd = linux_pidfd_open(pid)
        guard pidfd >= 0 else { throw LoopError("watch \(command.path)", code: errno) }
    }

    /// The process has ended: reaps it, reads what is left in the pipes, answers.
    private func ended() {
        var status: Int32 = 0
        var signal: Int32 = 0
        let reaped = linux_reap(pidfd, &status, &signal)
        if reaped == 0 { return }
        let reapFailure = errno
        output.drain()
        errors.drain()
        failure.drain()
        let cause = failure.errno
        if reaped < 0 {
            finish(.failure(LoopError("learn how \(command.path) ended", code: reapFailure)))
        } else if cause != 0 {
            finish(.failure(LoopError("start \(command.path)", code: cause)))
        } else if killedBecause != 0 {
            finish(.failure(killed))
        } else {
            finish(.success(ChildResult(status: status, signal: signal, output: output.bytes, errors: errors.bytes)))
        }
        release()
    }

    private func finish(_ result: Result<ChildResult, LoopError>) {
        guard answer == nil else { return }
        answer = result
        waiter?.resume(returning: result)
        waiter = nil
    }

    /// Ends everything that keeps this object alive.
    private func release() {
        for source in sources { source.cancel() }
        sources = []
        for pipe in [output, errors, failure] { pipe.close() }
        if pidfd >= 0 { close(pidfd) }
        pidfd = -1
    }

    /// Nobody can watch the process: it must not stay. Blocks until it is gone, which at this point it is at once.
    private func abandon() {
        if pid > 0 {
            Glibc.kill(-pid, SIGKILL)
            Glibc.kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        release()
    }
}

/// One pipe from the child, and what came through it.
@LoopActor
private final class Pipe {
    private(set) var reading: Int32 = -1
    private(set) var writing: Int32 = -1
    private(set) var bytes: [UInt8] = []
    private var source: Source?

    func make() throws(LoopError) {
        var ends: [Int32] = [-1, -1]
        guard linux_pipe(&ends) == 0 else { throw LoopError("make a pipe", code: Glibc.errno) }
        (reading, writing) = (ends[0], ends[1])
    }

    /// Reads whatever comes, until the other end is closed.
    func watch() throws(LoopError) {
        source = try Loop.shared.watch(reading) { [unowned self] _ in drain() }
    }

    /// The errno that came through the pipe; 0 for none.
    var errno: Int32 {
        guard bytes.count >= 4 else { return 0 }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
    }

    /// Reads what is there, up to a bound per call; keeps the first ``Child/outputLimit`` bytes.
    func drain() {
        guard reading >= 0 else { return }
        withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 1) { buffer in
            for _ in 0..<16 {
                let count = read(reading, buffer.baseAddress, buffer.count)
                if count < 0 && Glibc.errno == EINTR { continue }
                if count == 0 { source?.cancel() }  // it would be readable for ever
                if count <= 0 { return }
                bytes += buffer.prefix(min(count, Child.outputLimit - bytes.count))
            }
        }
    }

    func closeWriting() {
        if writing >= 0 { Glibc.close(writing) }
        writing = -1
    }

    func close() {
        source?.cancel()
        closeWriting()
        if reading >= 0 { Glibc.close(reading) }
        reading = -1
    }
}

extension Command {
    /// The pointers are valid during the call, on this thread alone.
    fileprivate func withSpawn(_ body: (inout linux_spawn) -> Int32) -> Int32 {
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return withStrings(arguments) { arguments in
            withStrings(variables) { variables in
                path.withCString { path in
                    var spawn = linux_spawn()
                    spawn.program = path
                    spawn.arguments = arguments
                    spawn.environment = variables
                    return body(&spawn)
                }
            }
        }
    }

    private func withStrings<Answer>(_ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Answer) -> Answer {
        var copies: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
        copies.append(nil)
        defer { for copy in copies { free(copy) } }
        return copies.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}
