// SPDX-License-Identifier: LGPL-2.1-or-later
import CLinux
import Glibc

/// What statx tells of a file.
struct FileStatus: Sendable, Hashable {
    /// Device and inode: one file, whatever its names are.
    struct Identity: Sendable, Hashable, CustomStringConvertible {
        let major: UInt32
        let minor: UInt32
        let inode: UInt64

        var description: String { "\(major):\(minor):\(inode)" }
    }

    /// S_IFMT; it and its values are spelled out, since two modules have the macros.
    private static let typeBits: UInt32 = 0o170000

    let identity: Identity
    /// Type and permission bits.
    let mode: UInt32
    let links: UInt32
    let owner: UInt32
    let group: UInt32
    let size: UInt64
    /// Bytes that are allocated.
    let allocation: UInt64
    /// Nanoseconds since the epoch; 0 is unknown.
    let modified: Int64
    /// Nanoseconds since the epoch: the last change of anything but the access time.
    let changed: Int64
    /// Nanoseconds since the epoch; 0 is unknown.
    let born: Int64
    /// Whether something is mounted over the name.
    let isMountPoint: Bool

    init(at directory: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32) throws(Errno) {
        var raw = statx()
        _ = try checked(linux_statx(directory, name, flags | linux_AT_NO_AUTOMOUNT, linux_STATX_BASIC, &raw))
        identity = Identity(major: raw.stx_dev_major, minor: raw.stx_dev_minor, inode: raw.stx_ino)
        mode = UInt32(raw.stx_mode)
        links = raw.stx_nlink
        owner = raw.stx_uid
        group = raw.stx_gid
        size = raw.stx_size
        allocation = raw.stx_blocks &* 512
        modified = raw.stx_mtime.nanoseconds
        changed = raw.stx_ctime.nanoseconds
        born = raw.stx_mask & UInt32(STATX_BTIME) == 0 ? 0 : raw.stx_btime.nanoseconds
        isMountPoint = raw.stx_attributes & linux_ATTR_MOUNT_ROOT != 0
    }

    var isRegular: Bool { mode & Self.typeBits == 0o100000 }
    var isDirectory: Bool { mode & Self.typeBits == 0o040000 }

    /// One clause saying what a file of another type is: "a socket".
    var typeClause: String {
        switch mode & Self.typeBits {
        case 0o100000: "a regular file"
        case 0o040000: "a directory"
        case 0o120000: "a symbolic link"
        case 0o140000: "a socket"
        case 0o010000: "a named pipe"
        case 0o020000: "a character device"
        case 0o060000: "a block device"
        default: "of an unknown type"
        }
    }
}

extension statx_timestamp {
    /// Nanoseconds since the epoch, at the ends of what 64 bits hold for absurd times.
    fileprivate var nanoseconds: Int64 {
        let (seconds, overflow) = tv_sec.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return tv_sec < 0 ? .min : .max }
        return seconds.addingReportingOverflow(Int64(tv_nsec)).partialValue
    }
}

/// Microseconds since the epoch as the model has them: 0 for what is unknown or before it.
func microseconds(_ nanoseconds: Int64) -> UInt64 { nanoseconds > 0 ? UInt64(nanoseconds) / 1000 : 0 }

/// Microseconds since the epoch, now.
func wallClock() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(clamping: time.tv_sec) * 1_000_000 + UInt64(clamping: time.tv_nsec) / 1000
}
