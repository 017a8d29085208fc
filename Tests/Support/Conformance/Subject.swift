// SPDX-License-Identifier: LGPL-2.1-or-later
public import Cistern
import EventLoop

/// A backend to be checked, on storage that is empty and nobody else's, with what only its maker can do.
public struct Subject: Sendable {
    /// Not started.
    public let backend: any Backend
    /// Makes a volume without the backend; nil where nothing but the backend can.
    public let put: (@Sendable (_ name: String, _ bytes: UInt64) async throws -> Void)?
    /// Puts something there that is no volume, and answers how it must be listed.
    public let putForeign: (@Sendable (_ name: String) async throws -> String)?
    /// Cuts the storage off from what was made for the check.
    public let cleanUp: @Sendable () async -> Void

    public init(
        _ backend: any Backend, put: (@Sendable (String, UInt64) async throws -> Void)? = nil,
        putForeign: (@Sendable (String) async throws -> String)? = nil, cleanUp: @escaping @Sendable () async -> Void = {}
    ) {
        self.backend = backend
        self.put = put
        self.putForeign = putForeign
        self.cleanUp = cleanUp
    }
}

/// What one check found wrong, and how it finds it.
actor Findings {
    private(set) var violations: [String] = []

    func add(_ violation: String) { violations.append(violation) }

    /// Notes a violation unless the condition holds.
    func expect(_ condition: Bool, _ violation: @autoclosure () -> String) {
        if !condition { violations.append(violation()) }
    }

    /// Notes a violation unless `body` fails with one of the codes, in a sentence that can stand alone.
    func expectError(
        _ codes: StorageError.Code..., of what: String, naming name: String? = nil, _ body: @Sendable () async throws -> Void
    ) async {
        do {
            try await body()
            violations.append("\(what) succeeds, and must fail with \(codes.map(\.rawValue).joined(separator: " or "))")
        } catch let error as StorageError {
            expect(codes.contains(error.code), "\(what) fails with \(error.code.rawValue), not \(codes.map(\.rawValue)): \(error.message)")
            expect(error.message.hasSuffix("."), "\(what): the message is no sentence: \(error.message)")
            if let name { expect(error.message.contains(name), "\(what): the message does not name \(name): \(error.message)") }
        } catch {
            violations.append("\(what) throws what is no StorageError: \(error)")
        }
    }
}

/// Progress that is remembered, and that can stop the work when something is reported.
final class Recorder: Sendable {
    private struct State {
        var notes: [String] = []
        var bytes: UInt64 = 0
        var total: UInt64?
        /// The recorder holds it; here it would hold itself.
        weak var progress: Progress?
        var phases: [String] = []
    }

    private let state = Locked(State())
    /// When to ask the work to stop.
    enum Stop: Sendable { case never, atFirstBytes }

    let progress: Progress

    /// - Parameter failingJournal: every note fails, as if the process had died there.
    init(stop: Stop = .never, failingJournal: Bool = false) {
        let state = state
        progress = Progress(
            report: { report in
                let toStop = state.withLock { state -> Progress? in
                    switch report {
                    case .advance(let bytes): state.bytes += bytes
                    case .total(let bytes): state.total = bytes
                    case .phase(let name, _): state.phases.append(name)
                    case .result: break
                    }
                    if stop == .atFirstBytes, state.bytes > 0 || state.phases.contains("writing") { return state.progress }
                    return nil
                }
                toStop?.cancel()
            },
            journal: { (line) async throws(StorageError) in
                if failingJournal { throw StorageError(.failed, "The journal cannot be written, says the test.") }
                state.withLock { $0.notes.append(line) }
            })
        state.withLock { [progress] in $0.progress = progress }
    }

    var notes: [String] { state.withLock { $0.notes } }
    var bytes: UInt64 { state.withLock { $0.bytes } }
    var total: UInt64? { state.withLock { $0.total } }
}

/// Fails a wait that takes too long, for a broken backend must not hang its check.
func within<T: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async throws -> T) async throws -> T? {
    try await withThrowingTaskGroup(of: T?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try? await ContinuousClock().sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        return try await group.next() ?? nil
    }
}
