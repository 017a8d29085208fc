// SPDX-License-Identifier: LGPL-2.1-or-later
import Synchronization

/// How an operation tells the engine how far it is, and learns that it is to stop. Safe on any thread.
public final class Progress: Sendable {
    /// What a backend may say.
    package enum Report: Sendable {
        case phase(String, cancellable: Bool)
        case total(UInt64)
        case advance(UInt64)
        case result(String, Value)
    }

    private let report: @Sendable (Report) -> Void
    private let write: @Sendable (String) async throws(StorageError) -> Void
    private let cancelled = Atomic<Bool>(false)
    private let cancellation = Mutex<(@Sendable () -> Void)?>(nil)

    /// Progress that goes to `report`, with notes for a restart that go to `journal`.
    package init(
        report: @escaping @Sendable (Report) -> Void, journal: @escaping @Sendable (String) async throws(StorageError) -> Void
    ) {
        self.report = report
        self.write = journal
    }

    /// Progress that nobody follows: for operations without a job, and for tests.
    public static func ignored() -> Progress {
        Progress(report: { _ in }, journal: { (_) async throws(StorageError) in })
    }

    /// Enters a phase, one word: "writing", "syncing". In a phase that is not cancellable, `Cancel` is refused.
    public func phase(_ name: String, cancellable: Bool = true) { report(.phase(name, cancellable: cancellable)) }

    /// How many bytes there are to do.
    public func total(_ bytes: UInt64) { report(.total(bytes)) }

    /// So many bytes more are done.
    public func advance(_ bytes: UInt64) { report(.advance(bytes)) }

    /// An entry of the job's `Result`: `method`, `fallback-reason`, `tool-output` ...
    public func result(_ key: String, _ value: Value) { report(.result(key, value)) }

    /// Writes a line to the journal, synced when this returns: what a restart needs to finish or undo.
    public func journal(_ line: String) async throws(StorageError) { try await write(line) }

    /// Whether somebody asked to stop.
    public var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Throws `cancelled` if somebody asked to stop.
    public func checkCancelled() throws(StorageError) {
        if isCancelled { throw StorageError(.cancelled, "The operation was cancelled; nothing is left of it.") }
    }

    /// Names what ends a wait that cannot look at ``isCancelled``; nil when it is over. Called at most once, at once if somebody has
    /// asked to stop already.
    public func onCancel(_ end: (@Sendable () -> Void)?) {
        cancellation.withLock { $0 = end }
        if isCancelled { cancel() }
    }

    /// Asks to stop.
    public func cancel() {
        cancelled.store(true, ordering: .sequentiallyConsistent)
        let end = cancellation.withLock { end in
            defer { end = nil }
            return end
        }
        end?()
    }
}
