// SPDX-License-Identifier: LGPL-2.1-or-later

/// What runs on the event loop's thread: everything that touches sd-bus or sd-event, and all state of objects on the bus.
@globalActor
public actor LoopActor {
    public static let shared = LoopActor()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { Loop.shared.asUnownedSerialExecutor() }

    /// Runs `body` in place. For C callbacks, which the loop's thread makes outside any job; traps on another thread.
    @inline(__always)
    public static func assumeIsolated<T>(_ body: @LoopActor () throws -> T) rethrows -> T {
        Loop.shared.checkIsolated()
        return try withoutActuallyEscaping(body) { body in
            // Dropping the isolation changes nothing but the type: the line above proved it.
            try unsafeBitCast(body, to: (() throws -> T).self)()
        }
    }
}
