// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// How a program ended, and what it said.
public struct ChildResult: Sendable, Hashable {
    /// The exit status; 0 if a signal ended it.
    public let status: Int32
    /// The signal that ended it; 0 if it exited.
    public let signal: Int32
    /// What it wrote to standard output; at most ``Child/outputLimit`` bytes, the first ones.
    public let output: [UInt8]
    /// What it wrote to standard error; at most ``Child/outputLimit`` bytes, the first ones.
    public let errors: [UInt8]

    /// Exited with status 0.
    public var succeeded: Bool { status == 0 && signal == 0 }
    /// Standard output as text; what is no UTF-8 is repaired.
    public var text: String { String(decoding: output, as: UTF8.self) }
    /// Standard error as text, without the newline at its end.
    public var complaint: String {
        var bytes = errors[...]
        while let last = bytes.last, last == 10 || last == 32 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// A program run to its end: without a shell, without input, with a deadline, never outliving this process.
///
/// The program gets `LC_ALL=C` and a fixed `PATH` as its whole environment, no descriptor but 0, 1 and 2, and a process group of
/// its own. The kernel kills it when the loop's thread ends.
public enum Child {
    /// Bytes kept of each of output and errors; what comes after them is read and dropped.
    public static let outputLimit = 1 << 20

    /// Where programs that are named without a path are looked for.
    public static let searchPath = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]

    /// Runs a program and waits for its end. Cancelling the task kills it and whatever it started in its group.
    ///
    /// - Parameters:
    ///   - program: a path, or a name to be found in ``searchPath``.
    ///   - arguments: without the program's own name.
    ///   - environment: variables beside `LC_ALL` and `PATH`.
    ///   - deadline: after it the program is killed.
    ///   - onStart: gets the process id before the program's first instruction could have been waited for.
    /// - Throws: `LoopError` with ETIMEDOUT after the deadline, ECANCELED after a cancellation (both once the process is gone, or
    ///   after ``grace`` if the kernel cannot end it), ENOENT if there is no such program, or why it could not be started.
    public static func run(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:], deadline: Duration,
        onStart: (@LoopActor (Int32) -> Void)? = nil
    ) async throws(LoopError) -> ChildResult {
        if Task.isCancelled { throw LoopError("run \(program)", code: ECANCELED) }
        let path = try find(program)
        let command = Command(
            path: path, arguments: [path] + arguments,
            environment: environment.merging(["LC_ALL": "C", "PATH": searchPath.joined(separator: ":")]) { _, ours in ours })
        if command.strings.contains(where: { $0.utf8.contains(0) }) { throw LoopError("run \(program)", code: EINVAL) }
        return try await start(command, deadline, onStart)
    }

    /// How long a killed process is waited for.
    public static let grace = Duration.seconds(2)

    @LoopActor
    private static func start(_ command: Command, _ deadline: Duration, _ onStart: (@LoopActor (Int32) -> Void)?)
        async throws(LoopError) -> ChildResult
    {
        let process = try ChildProcess(command, deadline)
        onStart?(process.pid)
        let result = await withTaskCancellationHandler {
            await process.end()
        } onCancel: {
            Task { @LoopActor in process.kill(because: ECANCELED) }
        }
        return try result.get()
    }

    /// Where a program that is named without a path is; nil if it is not installed.
    public static func path(of program: String) -> String? {
        searchPath.lazy.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    private static func find(_ program: String) throws(LoopError) -> String {
        if program.utf8.contains(UInt8(ascii: "/")) { return program }
        if let path = path(of: program) { return path }
        throw LoopError("find the program \(program)", code: ENOENT)
    }
}

/// What to run.
struct Command: Sendable {
    let path: String
    /// The first is the program's own name.
    let arguments: [String]
    let environment: [String: String]

    var strings: [String] { [path] + arguments + environment.map { "\($0)=\($1)" } }
}
