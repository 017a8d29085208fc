// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop
import Glibc

/// A program of the system that does a piece of an operation.
struct Tool: Sendable {
    let program: String
    /// Continues "Cannot", for messages.
    let action: String
    /// What it means that the program complains.
    let code: StorageError.Code

    /// Runs the program to its end; it is ended when the operation is cancelled.
    ///
    /// - Returns: its standard output.
    /// - Throws: `cancelled`, `timedOut`, `notSupported` where it is not installed, else ``code`` with the program's own words.
    @discardableResult
    func run(_ arguments: [String], deadline: Duration, _ progress: Progress) async throws(StorageError) -> String {
        try progress.checkCancelled()
        let program = program
        let work = Task { () async -> Result<ChildResult, LoopError> in
            do throws(LoopError) { return .success(try await Child.run(program, arguments, deadline: deadline)) } catch {
                return .failure(error)
            }
        }
        progress.onCancel { work.cancel() }
        defer { progress.onCancel(nil) }
        switch await work.value {
        case .success(let ended):
            if ended.succeeded { return ended.text }
            throw StorageError(code, "Cannot \(action): \(program) says: \(complaint(of: ended)).")
        case .failure(let error):
            try progress.checkCancelled()
            throw failure(error, deadline)
        }
    }

    /// The last line, which has the cause, without the program's own name.
    private func complaint(of result: ChildResult) -> String {
        guard let line = result.complaint.split(separator: "\n").last else {
            return "it ended with status \(result.status), signal \(result.signal)"
        }
        var text = String(line.drop(while: \.isWhitespace))
        if text.hasPrefix("\(program): ") { text.removeFirst(program.count + 2) }
        while text.last == "." { text.removeLast() }
        return text
    }

    private func failure(_ error: LoopError, _ deadline: Duration) -> StorageError {
        switch error.code {
        case ENOENT: StorageError(.notSupported, "Cannot \(action): the program \(program) is not installed; install it.")
        case ETIMEDOUT:
            StorageError(.timedOut, "Cannot \(action): \(program) did not end within \(deadline.components.seconds) s and was ended.")
        default: StorageError(.failed, "Cannot \(action): \(error).")
        }
    }
}
