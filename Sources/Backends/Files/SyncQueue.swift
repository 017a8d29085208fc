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
    }

    private let blocking: Blocking
    private let state = Locked(State())

    init(_ blocking: Blocking) { self.blocking = blocking }

    /// Returns when the file and the names in the directory are on the medium.
    ///
    /// - Parameters:
    ///   - file: the file that got the name; nil if only a name changed.
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

    private func run() async {
        while let requests = next() {
            let failures: [Errno?]
            do throws(StorageError) {
                failures = try await blocking.runPatiently("sync") { Self.sync(requests) }
            } catch {
                failures = requests.map { _ in Errno.noAnswer }
            }
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
