// SPDX-License-Identifier: LGPL-2.1-or-later
import Cistern

/// What a directory of volumes stands on, where that is more than itself: a file system that is mounted there.
protocol Ground: Sendable {
    /// Makes the directory reachable at its path; succeeds if it is.
    ///
    /// - Throws: `unavailable` if what it stands on is not there; `busy` if something else is at the path.
    func mount(_ progress: Progress) async throws(StorageError)

    /// Makes it unreachable, without harm to data; succeeds if it is.
    ///
    /// - Parameter lazy: those who use it may go on; it is let go of when the last of them has ended.
    /// - Throws: `busy` while somebody uses it, unless `lazy`.
    func unmount(lazy: Bool, _ progress: Progress) async throws(StorageError)

    /// See ``Returning``.
    func mayReturn() async -> Bool

    /// See ``Returning``.
    func hints() async -> AsyncStream<Void>

    /// Tells why the directory, once it has been reachable, is not any more. Ends with its consumer.
    func losses() async -> AsyncStream<String>

    /// See ``Buildable``.
    func build(overwrite: Bool, _ progress: Progress) async throws(StorageError)

    /// See ``Buildable``.
    func delete(_ progress: Progress) async throws(StorageError)
}
