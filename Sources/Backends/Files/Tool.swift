// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc

/// A program of the system that does a piece of an operation.
struct Tool: Sendable {
    let program: String
    /// Debian's package that has it.
    let package: String

    /// Why it cannot be run, and what to do; empty if it is installed.
    var absence: String {
        Child.path(of: program) == nil ? "the program \(program) is not installed; install it (Debian: \(package))" : ""
    }

    /// Runs the program until it succeeds; it is ended when the operation is cancelled.
    ///
    /// - Parameters:
    ///   - action: continues "Cannot", for messages.
    ///   - code: what it means that the program complains.
    /// - Returns: its standard output.
    /// - Throws: as ``end(of:for:deadline:_:onStart:)``, else `code` with the program's own words.
    @discardableResult
    func run(
        _ arguments: [String], for action: String, failing code: StorageError.Code, deadline: Duration, _ progress: Progress
    ) async throws(StorageError) -> String {
        let ended = try await end(of: arguments, for: action, deadline: deadline, progress)
        if ended.succeeded { return ended.text }
        throw StorageError(code, "Cannot \(action): \(program) says: \(complaint(of: ended)).")
    }

    /// Runs the program to its end, whatever that is; it is ended when the operation is cancelled.
    ///
    /// - Throws: `cancelled`, `timedOut`, `notSupported` where it is not installed.
    func end(
        of arguments: [String], for action: String, deadline: Duration, _ progress: Progress,
        onStart: (@LoopActor (Int32) -> Void)? = nil
    ) async throws(StorageError) -> ChildResult {
        try progress.checkCancelled()
        let program = program
        let work = Task { () async -> Result<ChildResult, LoopError> in
            do throws(LoopError) {
                return .success(try await Child.run(program, arguments, deadline: deadline, onStart: onStart))
            } catch {
                return .failure(error)
            }
        }
        progress.onCancel { work.cancel() }
        defer { progress.onCancel(nil) }
        do throws(LoopError) { return try await work.value.get() } catch {
            try progress.checkCancelled()
            throw failure(error, action, deadline)
        }
    }

    /// The last line that it wrote to standard error, which has the cause, without its own name and the dot at the end.
    ///
    /// - Parameter isCause: false for lines that do not tell it; mount(8) sends its reader on.
    func complaint(of result: ChildResult, where isCause: (Substring) -> Bool = { !$0.contains("dmesg(1)") }) -> String {
        guard let line = result.complaint.split(separator: "\n").last(where: isCause) else {
            return "it ended with status \(result.status), signal \(result.signal)"
        }
        var text = line.drop(while: \.isWhitespace)
        if text.hasPrefix("\(program): ") { text.removeFirst(program.count + 2) }
        while text.last == "." { text.removeLast() }
        return String(text)
    }

    private func failure(_ error: LoopError, _ action: String, _ deadline: Duration) -> StorageError {
        switch error.code {
        case ENOENT: StorageError(.notSupported, "Cannot \(action): \(absence).")
        case ETIMEDOUT:
            StorageError(.timedOut, "Cannot \(action): \(program) did not end within \(deadline.components.seconds) s and was ended.")
        default: StorageError(.failed, "Cannot \(action): \(error).")
        }
    }
}
