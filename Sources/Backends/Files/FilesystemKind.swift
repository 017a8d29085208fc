// SPDX-License-Identifier: LGPL-2.1-or-later

/// What is known of a kind of file system, by the magic number that statfs(2) gives.
struct FilesystemKind: Sendable, Hashable {
    private let magic: UInt64

    init(_ space: FilesystemSpace) { magic = space.magic }

    private static let ext: UInt64 = 0xEF53  // ext2 to ext4
    private static let xfs: UInt64 = 0x5846_5342
    private static let btrfs: UInt64 = 0x9123_683E
    private static let tmpfs: UInt64 = 0x0102_1994
    private static let fuse: UInt64 = 0x6573_5546

    /// The directory that ext4 is made with, for what fsck(8) finds.
    static let ownDirectory = "lost+found"

    /// NFS, SMB, CIFS, Ceph, AFS, 9p, Lustre, GFS2, OCFS2.
    private static let shared: Set<UInt64> = [
        0x6969, 0x517B, 0xFE53_4D42, 0xFF53_4D42, 0x00C3_6400, 0x5346_414F, 0x0102_1997, 0x0BD0_0BD0, 0x0116_1970, 0x7461_636F,
    ]

    /// Whether other hosts change it, and inotify does not see that.
    var isShared: Bool { Self.shared.contains(magic) }

    /// Whether a program is behind it, and who knows what behind that.
    var isFUSE: Bool { magic == Self.fuse }

    /// Whether a file without blocks is known to have no data: not where small files lie in their inodes unseen, or far away.
    var tellsHoles: Bool { [Self.ext, Self.xfs, Self.btrfs].contains(magic) }

    /// Whether a change of names and attributes is on the medium as soon as a later one is: one journal, written in order.
    var ordersChanges: Bool { [Self.ext, Self.xfs].contains(magic) }

    /// Whether a file handle means the same file tomorrow. FUSE numbers files as it meets them, anew with every mount.
    var keepsHandles: Bool { !isFUSE }

    /// Whether `f_fsid` is made out of the file system's UUID.
    var derivesIdentityFromUUID: Bool { [Self.ext, Self.btrfs].contains(magic) }

    /// Whether what is written goes to another place than what it replaces, always: ZFS, bcachefs, and Btrfs unless told not to.
    var copiesOnWrite: Bool { [Self.btrfs, 0x2FC1_2FC1, 0xCA45_1A4E].contains(magic) }

    /// Whether its UUID is a new one with every mount.
    var isInMemory: Bool { magic == Self.tmpfs }
}
