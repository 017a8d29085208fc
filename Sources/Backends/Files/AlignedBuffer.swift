// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Glibc

/// Zeros that O_DIRECT accepts. Any thread may read them; nobody writes to them after `init`, so `@unchecked Sendable` holds.
///
/// Two mebibytes in one huge page where the kernel has one: a request to the disk then has few segments, which writes zeros
/// half again as fast as scattered pages do. Writers that run at the same time share the memory; the last one gives it back.
final class AlignedBuffer: @unchecked Sendable {
    /// Multiple that every disk and file system is content with.
    static let alignment = 4096
    static let size = 2 << 20
    let start: UnsafeMutableRawPointer

    private struct Shared { weak var buffer: AlignedBuffer? }
    private static let shared = Locked(Shared())

    /// The buffer that all writers use.
    static func zeros() -> AlignedBuffer {
        shared.withLock { shared in
            if let buffer = shared.buffer { return buffer }
            let buffer = AlignedBuffer()
            shared.buffer = buffer
            return buffer
        }
    }

    private init() {
        start = .allocate(byteCount: Self.size, alignment: Self.size)
        madvise(start, Self.size, Int32(MADV_HUGEPAGE))
        start.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
    }

    deinit { start.deallocate() }
}
