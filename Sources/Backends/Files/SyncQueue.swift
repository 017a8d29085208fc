// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern
import EventLoop

/// Makes changes of one directory durable, together: whoever comes while a sync runs shares the next one.
///
/// A journaling file system commits everything at once, so eight changes cost as much as one, and one thread waits for all.
final class SyncQueue: Sendable {
    /// Something that is not durable yet.
    private struct Request: Sendable {
        let file: File?
        let directory: Directory
        /// Called on the lane when it is.
        let afterwards: @Sendable () -> Void
        let continuation: CheckedContinuation<Errno?, Never>
    }

    private struct State {
        var waiting: [Request] = []
        var isRunning = false
        /// Whether the last sync took so little that a thread which just made a change may wait for its own.
        var isQuick = false
    }

    /// More than a disk with a cache takes, less than anybody notices.
    private static let quick = Duration.milliseconds(100)

    private let blocking: Blocking
    private let state = Locked(State())

    init(_ blocking: Blocking) { self.blocking = blocking }

    /// Returns when the file and the names in the directory are on the medium.
    ///
    /// - Parameters:
    ///   - file: the file that got the name; nil if only a name changed, or the file comes with it.
    ///   - action: continues "Cannot".
    ///   - afterwards: closes what must not be closed where waiting is forbidden.
    func sync(
        _ file: File?, in directory: Directory, _ action: String, afterwards: @escaping @Sendable () -> Void = {}
    ) async throws(StorageError) {
        let failure = await withCheckedContinuation { continuation in
            let request = Request(file: file, directory: directory, afterwards: afterwards, continuation: continuation)
            let mustRun = state.withLock { state in
                defer { state.isRunning = true }
                state.waiting.append(request)
                return !state.isRunning
            }
            // In a task of its own: others depend on it, whatever becomes of this one.
            if mustRun { Task { await run() } }
        }
        if let failure { throw failure.explained("\(action) safely") }
    }

    /// On the lane: makes a change durable that this thread has just made, if nobody else is at it and it is quick.
    ///
    /// - Returns: false if ``sync(_:in:_:afterwards:)`` must do it.
    func syncAtOnce(_ file: File?, in directory: Directory) throws(Errno) -> Bool {
        let isMine = state.withLock { state in
            if state.isRunning || !state.isQuick { return false }
            state.isRunning = true
            return true
        }
        guard isMine else { return false }
        let began = ContinuousClock.now
        defer {
            let isOthers = state.withLock { state in
                state.isQuick = ContinuousClock.now - began < Self.quick
                state.isRunning = !state.waiting.isEmpty
                return state.isRunning
            }
            if isOthers { Task { await run() } }
        }
        try file?.sync()
        try directory.sync()
        return true
    }

    private func run() async {
        while let requests = next() {
            let failures: [Errno?]
            let began = ContinuousClock.now
            do throws(StorageError) {
                failures = try await blocking.runPatiently("sync") { Self.sync(requests) }
            } catch {
                failures = requests.map { _ in Errno.noAnswer }
            }
            state.withLock { $0.isQuick = ContinuousClock.now - began < Self.quick }
            for (request, failure) in zip(requests, failures) { request.continuation.resume(returning: failure) }
        }
    }

    private func next() -> [Request]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isRunning = false
                return nil
            }
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// On the lane. The first sync commits what all have changed; the others find nothing left to do.
    private static func sync(_ requests: [Request]) -> [Errno?] {
        var directories: [FileStatus.Identity: Errno?] = [:]
        return requests.map { request in
            defer { request.afterwards() }
            do throws(Errno) {
                try request.file?.sync()
                let identity = try request.directory.status().identity
                if let earlier = directories[identity] { return earlier }
                directories[identity] = .some(nil)
                do throws(Errno) { try request.directory.sync() } catch { directories[identity] = .some(error) }
                return directories[identity] ?? nil
            } catch {
                return error
            }
        }
    }
}
