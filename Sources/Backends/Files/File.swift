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

    /// Reads from `offset` until the buffer is full or the file ends, and nothing ahead: a scan must not fill the memory with images.
    ///
    /// - Parameter length: of the file, if it is known: saves asking for what is behind its end.
    /// - Returns: how many bytes there were.
    func read(_ buffer: inout [UInt8], at offset: UInt64, length: UInt64 = .max) throws(Errno) -> Int {
        let size = Int(clamping: min(UInt64(buffer.count), length - min(offset, length)))
        if size == 0 { return 0 }
        _ = linux_read_no_ahead(raw)
        var done = 0
        while done < size {
            let count = buffer.withUnsafeMutableBytes {
                pread(raw, $0.baseAddress.map { $0 + done }, size - done, Int(clamping: offset) + done)
            }
            if count < 0 && errno == EINTR { continue }
            if try checked(count) == 0 { break }
            done += count
        }
        return done
    }

    /// A piece of the file; shorter where the file ends.
    func read(at offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let done = try read(&buffer, at: offset)
        buffer.removeSubrange(done...)
        return buffer
    }

    /// Writes bytes over what is there.
    func write(_ bytes: [UInt8], at offset: UInt64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(raw, $0.baseAddress.map { $0 + done }, bytes.count - done, Int(clamping: offset) + done)
            }
            if count < 0 && errno == EINTR { continue }
            done += try checked(count)
        }
    }

    /// A short text that is kept with the file under a name of the `user.` namespace; nil if there is none.
    ///
    /// - Throws: `EOPNOTSUPP` where the file system keeps none.
    func attribute(_ name: String) throws(Errno) -> String? {
        try readAttribute { linux_get_attribute(raw, name, $0.baseAddress, $0.count) }
    }

    /// Keeps a short text with the file.
    func setAttribute(_ name: String, _ value: String) throws(Errno) {
        var value = value
        _ = try checked(value.withUTF8 { linux_set_attribute(raw, name, $0.baseAddress, $0.count) })
    }

    /// Clears the flag that opening needed and readers do not expect.
    func setBlocking() {
        let flags = linux_get_flags(raw)
        if flags >= 0 { _ = linux_set_flags(raw, flags & ~O_NONBLOCK) }
    }
}

extension Directory {
    /// The same as ``File/attribute(_:)``, of an entry that need not be opened for it.
    ///
    /// - Throws: `ENOSYS` where the kernel is too old for that.
    func attribute(_ name: String, of entry: String) throws(Errno) -> String? {
        try readAttribute { linux_get_attribute_at(raw, entry, name, $0.baseAddress, UInt32($0.count)) }
    }
}

private func readAttribute(_ read: (UnsafeMutableBufferPointer<UInt8>) -> Int) throws(Errno) -> String? {
    let (count, value) = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer -> (Int, String?) in
        let count = read(buffer)
        return (count, count < 0 ? nil : String(validating: buffer.prefix(count), as: UTF8.self))
    }
    if count >= 0 { return value }
    if errno == ENODATA || errno == ERANGE { return nil }
    throw Errno.last
}
