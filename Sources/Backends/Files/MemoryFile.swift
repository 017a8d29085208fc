// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// Memory that behaves like a file, memfd_create(2): what a simulated volume is opened as.
final class MemoryFile: Descriptor, @unchecked Sendable {
    // `@unchecked`: adds nothing to ``Descriptor``.

    /// A new file of so many bytes, all zero; memory is taken as it is written.
    init(size: UInt64) throws(Errno) {
        super.init(owning: try checked(linux_memory_file("simulated")))
        _ = try checked(ftruncate(raw, Int(clamping: size)))
    }

    /// A descriptor of its own, with `flags` as open(2) takes them, that the caller closes.
    func reopen(_ flags: Int32) throws(Errno) -> Int32 { try checked(linux_reopen(raw, flags)) }
}
