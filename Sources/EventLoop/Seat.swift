// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Synchronization

/// Where one thread waits until another one, which knows it, wakes it. Cheaper than a condition, and no wake-up can go astray.
///
/// Any thread may use it, `wait()` only its owner; the word is atomic, which makes `@unchecked Sendable` true.
final class Seat: @unchecked Sendable {
    /// 1 once the owner has been woken. At a fixed address, by which the kernel knows it.
    private let word: UnsafeMutablePointer<Atomic<UInt32>>

    init() {
        word = .allocate(capacity: 1)
        word.initialize(to: Atomic(0))
    }

    deinit {
        word.deinitialize(count: 1)
        word.deallocate()
    }

    /// Blocks until `wake()`, which may have come before.
    func wait() {
        while word.pointee.exchange(0, ordering: .acquiring) == 0 { linux_futex_wait(word, 0) }
    }

    /// Ends the owner's next or current `wait()`.
    func wake() {
        word.pointee.store(1, ordering: .releasing)
        linux_futex_wake(word)
    }
}
