// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// Memory that behaves like a file, memfd_create(2): what a simulated volume is opened as, and how a
/// secret is given to a program.
final class MemoryFile: Descriptor, @unchecked Sendable {
    // `@unchecked`: adds nothing to ``Descriptor``.

    /// A new file of so many bytes, all zero; memory is taken as it is written.
    init(size: UInt64) throws(Errno) {
        super.init(owning: try checked(linux_memory_file("simulated")))
        _ = try checked(ftruncate(raw, Int(clamping: size)))
    }

    /// A file with these bytes, to be read by a program that we start.
    init(bytes: [UInt8]) throws(Errno) {
        super.init(owning: try checked(linux_memory_file("secret")))
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            done += try checked(count)
        }
    }

    /// A descriptor of its own, with `flags` as open(2) takes them, that the caller closes.
    func reopen(_ flags: Int32) throws(Errno) -> Int32 { try checked(linux_reopen(raw, flags)) }
}
