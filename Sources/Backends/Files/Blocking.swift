// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop

/// A lane whose failures are ``StorageError``s: how backends run what may block.
struct Blocking: Sendable {
    /// How long a call that moves no data may take before the storage is taken for hung.
    static let patience = Duration.seconds(10)
    /// How long a call that moves data, or waits for it to reach the medium, may take.
    static let longPatience = Duration.seconds(600)

    let lane: Lane
    /// For messages: "directory /srv/images".
    let place: String
    /// Shorter in tests.
    var patience = Blocking.patience

    /// Runs a body that ends soon unless something is wrong.
    ///
    /// - Parameter action: continues "Cannot", for a failed system call and for one that does not come back.
    func run<T: Sendable>(
        _ action: @autoclosure @escaping @Sendable () -> String, _ body: @escaping @Sendable () throws -> T
    ) async throws(StorageError) -> T {
        try await perform(.short, patience, action, body)
    }

    /// Runs a body that moves no data, but may have to wait until others' data is on the medium.
    func runPatiently<T: Sendable>(
        _ action: @autoclosure @escaping @Sendable () -> String, _ body: @escaping @Sendable () throws -> T
    ) async throws(StorageError) -> T {
        try await perform(.short, Blocking.longPatience, action, body)
    }

    /// Runs a body that moves data.
    func runBulk<T: Sendable>(
        _ action: @autoclosure @escaping @Sendable () -> String, _ body: @escaping @Sendable () throws -> T
    ) async throws(StorageError) -> T {
        try await perform(.bulk, Blocking.longPatience, action, body)
    }

    private func perform<T: Sendable>(
        _ priority: Lane.Priority, _ deadline: Duration, _ action: @Sendable () -> String, _ body: @escaping @Sendable () throws -> T
    ) async throws(StorageError) -> T {
        do { return try await lane.run(priority, deadline: deadline, body) } catch {
            throw explained(error, deadline, action)
        }
    }

    /// What a caller sees of a failure.
    private func explained(_ error: any Error, _ deadline: Duration, _ action: () -> String) -> StorageError {
        switch error {
        case let error as StorageError: error
        case let error as Errno: error.explained(action())
        case LaneError.deadline:
            StorageError(
                .timedOut,
                "Cannot \(action()): the \(place) has not answered for \(deadline.components.seconds) s; check what it is mounted from.")
        case let error as LaneError:
            StorageError(.unavailable, "Cannot \(action()): \(error); check what the \(place) is mounted from.")
        case is CancellationError: StorageError(.cancelled, "The operation was cancelled; nothing is left of it.")
        default: StorageError(.failed, "Cannot \(action()): \(error).")
        }
    }
}
