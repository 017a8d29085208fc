// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// An open regular file.
final class File: Descriptor, @unchecked Sendable {
    func setSize(_ size: UInt64) throws(Errno) { _ = try checked(ftruncate(raw, Int(clamping: size))) }

    /// Reserves a range; `EOPNOTSUPP` where the file system cannot.
    func reserve(_ offset: UInt64, _ length: UInt64, growing: Bool = true) throws(Errno) {
        let mode = growing ? 0 : linux_FALLOC_KEEP_SIZE
        while linux_fallocate(raw, mode, Int64(clamping: offset), Int64(clamping: length)) < 0 {
            guard errno == EINTR else { throw Errno.last }
        }
    }

    /// From now on, writes bypass the page cache, or no longer do.
    ///
    /// - Returns: false if the file system cannot.
    func setDirect(_ direct: Bool) -> Bool {
        let flags = linux_get_flags(raw)
        guard flags >= 0 else { return false }
        return linux_set_flags(raw, direct ? flags | linux_O_DIRECT : flags & ~linux_O_DIRECT) == 0
    }

    /// Writes `length` zeros at `offset`.
    func writeZeros(_ buffer: AlignedBuffer, at offset: UInt64, _ length: Int) throws(Errno) {
        var done = 0
        while done < length {
            let count = Self.withVectors(buffer, length - done) {
                pwritev(raw, $0.baseAddress, Int32($0.count), Int(clamping: offset) + done)
            }
            if count < 0 && errno == EINTR { continue }
            if count == 0 { throw Errno(ENOSPC) }
            done += try checked(count)
        }
    }

    /// The buffer again and again, until `length` bytes.
    private static func withVectors(_ buffer: AlignedBuffer, _ length: Int, _ body: (UnsafeMutableBufferPointer<iovec>) -> Int) -> Int {
        let count = min(64, (length + AlignedBuffer.size - 1) / AlignedBuffer.size)
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            for index in 0..<count {
                let part = min(AlignedBuffer.size, length - index * AlignedBuffer.size)
                vectors.initializeElement(at: index, to: iovec(iov_base: buffer.start, iov_len: part))
            }
            return body(vectors)
        }
    }

    /// Has a range on the medium and out of the page cache. Does nothing where the file system cannot.
    func writeBack(_ offset: UInt64, _ length: Int) { _ = linux_write_back(raw, Int64(clamping: offset), Int64(length)) }

    /// Clears the flag that opening needed and readers do not expect.
    func setBlocking() {
        let flags = linux_get_flags(raw)
        if flags >= 0 { _ = linux_set_flags(raw, flags & ~O_NONBLOCK) }
    }
}
