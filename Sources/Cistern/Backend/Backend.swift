// SPDX-License-Identifier: LGPL-2.1-or-later

/// How one pool of one type exists on this machine.
///
/// A backend is made for one pool. It throws and never logs; it keeps no list of volumes, since ``scan(_:)`` is the truth.
/// What may block runs off the caller's executor. A method that throws leaves the machine as it found it. The engine
/// serializes what changes names (create's publication excepted, which is atomic by itself) and never runs two operations on
/// one volume at once; two operations on different volumes, and scans beside anything, may run at the same time.
///
/// Capabilities are protocols beside this one; conforming is the only way to claim one.
public protocol Backend: Sendable {
    /// The D-Bus `Details`-free description of where volumes are reached: a directory, or empty.
    var targetPath: String { get }

    /// Whether changes of different volumes may be made at the same time, each being atomic by itself. Where not, the engine makes
    /// them one by one.
    var takesChangesTogether: Bool { get }

    /// Makes the pool's storage reachable and answers what it stands on, so that no two pools own one thing:
    /// `dev:ino` of a directory, a UUID. Starting a started pool succeeds.
    func start(_ progress: Progress) async throws(StorageError) -> String

    /// Makes it unreachable again without harming data. Stopping a stopped pool succeeds.
    func stop(_ progress: Progress) async throws(StorageError)

    /// Looks at the machine and tells what is there now.
    ///
    /// - Parameter known: what the last scan found; an unchanged entry may be taken from it.
    func scan(_ known: [String: Volume]) async throws(StorageError) -> Contents
}

extension Backend {
    /// One by one.
    public var takesChangesTogether: Bool { false }
}
