// SPDX-License-Identifier: LGPL-2.1-or-later
import Bus
import Cistern
import EventLoop

/// Says who may do what. Fails closed: root and the daemon's own user may do everything, nobody else may change anything.
@LoopActor struct Authority {
    let ownUID: UInt32

    /// Throws `AccessDenied` unless the caller may.
    func require(_ action: String, of call: Call) async throws {
        let uid = try await call.uid()
        guard allows(uid, action) else {
            throw StorageError(
                .accessDenied, "User \(uid) may not do this (\(action)); call as root or as the user that the service runs as.")
        }
    }

    func allows(_ uid: UInt32, _ action: String) -> Bool { isRoot(uid) }

    /// Whether the user may do everything there is: root, or the user that the service runs as.
    func isRoot(_ uid: UInt32) -> Bool { uid == 0 || uid == ownUID }
}
