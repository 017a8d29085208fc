// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc
import Synchronization

/// A descriptor with one owner, closed when the owner lets go of it, or before.
///
/// A class, and its system calls are methods: the descriptor stays open for as long as a call on it runs, on whatever thread.
/// Closing may block (network file systems write back), so who has written calls ``close()`` where blocking is allowed.
class Descriptor: @unchecked Sendable {
    // `@unchecked`: subclasses add nothing that changes; the number is atomic.
    private let number: Atomic<Int32>

    /// Takes over an open descriptor.
    init(owning number: Int32) { self.number = Atomic(number) }

    deinit { close() }

    /// The number, -1 after ``close()``. Use it while `self` is alive only.
    final var raw: Int32 { number.load(ordering: .relaxed) }

    /// Closes it now. Later calls do nothing.
    final func close() {
        let number = number.exchange(-1, ordering: .relaxed)
        if number >= 0 { _ = Glibc.close(number) }
    }

    /// Gives the descriptor away: it is the caller's to close.
    final func release() -> Int32 { number.exchange(-1, ordering: .relaxed) }

    /// What the descriptor refers to.
    final func status(synchronized: Bool = true) throws(Errno) -> FileStatus {
        try FileStatus(at: raw, "", linux_AT_EMPTY_PATH | (synchronized ? 0 : linux_AT_STATX_DONT_SYNC))
    }

    /// Sets what is not nil. Owner and group first: changing them clears bits of the mode. Not for O_PATH descriptors.
    final func setAttributes(mode: UInt32?, owner: UInt32?, group: UInt32?) throws(Errno) {
        if owner != nil || group != nil { _ = try checked(fchown(raw, owner ?? .max, group ?? .max)) }
        if let mode { _ = try checked(fchmod(raw, mode)) }
    }

    /// Has what is written to the file from now on, which must be empty, or to those made in the directory, copied on write or not.
    ///
    /// - Returns: false if the file system leaves one no choice.
    final func setCopyOnWrite(_ on: Bool) throws(Errno) -> Bool {
        do throws(Errno) { _ = try checked(linux_set_copy_on_write(raw, on ? 1 : 0)) } catch {
            guard [EOPNOTSUPP, ENOTTY, EINVAL, ENOSYS].contains(error.code) else { throw error }
            return false
        }
        return true
    }

    /// Data and attributes are on the medium when this returns.
    final func sync() throws(Errno) {
        _ = try checked(fsync(raw))
        try requireLiving()
    }

    /// Fails where the file system takes no change any more, not even the removal of what is not there: mounted so, or given up by the
    /// kernel after an error.
    ///
    /// What was lost when somebody else synced, or the kernel by itself, is no failure of ours to ext4 and xfs: fsync succeeds, because
    /// there is nothing left to do. But then they have given up.
    final func requireLiving() throws(Errno) {
        guard linux_remove_attribute(raw, "user.cistern.absent") < 0, [EROFS, EIO].contains(errno) else { return }
        throw Errno.last
    }

    /// How large the file system is, and which it is.
    final func space() throws(Errno) -> FilesystemSpace { try FilesystemSpace(raw) }
}

/// Numbers about a file system.
struct FilesystemSpace {
    let capacity: UInt64
    let free: UInt64
    /// Free for unprivileged writers.
    let available: UInt64
    /// The `f_type` of statfs.
    let magic: UInt64
    /// The `f_fsid` of statfs.
    let identity: UInt64

    fileprivate init(_ descriptor: Int32) throws(Errno) {
        var raw = linux_space()
        _ = try checked(linux_space_of(descriptor, &raw))
        capacity = raw.capacity
        free = raw.free
        available = raw.available
        magic = raw.magic
        identity = raw.identity
    }
}
