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
    /// - Throws: `busy` while somebody uses it.
    func unmount(_ progress: Progress) async throws(StorageError)

    /// On the lane: refuses to take the directory for the pool's if it is only the place where that would be mounted.
    func check() throws

    /// See ``Returning``.
    func mayReturn() async -> Bool

    /// What becomes of what it stands on: ``GroundChange/lost(_:)`` and ``GroundChange/appeared``; ends with its consumer.
    func changes() async -> AsyncStream<GroundChange>

    /// See ``Buildable``.
    func build(overwrite: Bool, _ progress: Progress) async throws(StorageError)

    /// See ``Buildable``.
    func delete(_ progress: Progress) async throws(StorageError)
}

/// What becomes of the device below a directory.
enum GroundChange: Sendable, Hashable {
    /// It is there, and may not have been before.
    case appeared
    /// It is gone, and why.
    case lost(String)
}
